// A receiver of status checks on express, as small as it can be: it verifies, parses, and keeps nothing.

const crypto = require('node:crypto');
const express = require('express');

const secret = process.env.SECRET;

// The way of express's own documentation to look at the raw body before it is parsed.
function verify(request, _response, body) {
  const expected = crypto.createHmac('sha256', secret).update(body).digest();
  const given = Buffer.from(request.get('X-Gitlab-Signature') ?? '', 'hex');
  if (given.length !== expected.length || !crypto.timingSafeEqual(given, expected)) {
    throw Object.assign(new Error('wrong signature'), { status: 401 });
  }
}

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.post(process.env.WEBHOOK_PATH, express.json({ limit: '25mb', verify }), (request, response) => {
  if (!Number.isInteger(request.body.object_attributes.iid)) {
    return response.status(400).json({ message: 'no merge request' });
  }
  response.status(202).json({ message: 'taken' });
});

const server = app.listen(0, '127.0.0.1', () => {
  console.log(`taking deliveries on 127.0.0.1:${server.address().port}`);
});
