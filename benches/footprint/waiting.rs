//! Memory with very many merge requests that wait, put into the database by SQL: once not due for long, once due now,
//! at a GitLab that can't be reached.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::stage::conditions;
use crate::stage::delivery::Writer;
use crate::stage::figures::thousands;
use crate::stage::load;
use crate::stage::product::{POLICIES, Setup, database};
use crate::start::ready;

/// So many deliveries are taken while the others wait.
const DELIVERIES: usize = 2000;
const CONNECTIONS: usize = 16;
/// One row for each delivery, with everything that a status check's body says.
const DELIVERY_ROWS: &str = "
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    INSERT INTO delivery (taken_at, project_id, iid, event, action, status_check_id, check_name, sha, user_id, digest)
    SELECT ?2, 1 + i % 50, i, 'status_check', 'update', 17, 'countersign', printf('%040x', i), NULL, randomblob(32)
    FROM n";
/// And a lane for each, queued for the policies that are in force: others would make all of them due at once.
const LANE_ROWS: &str = "
    INSERT INTO lane (project_id, iid, generation, due_at, waiting_since, revision, queued_revision)
    SELECT project_id, iid, id, ?1, taken_at, newest, newest
    FROM delivery, (SELECT coalesce(max(id), 0) AS newest FROM revision)";

pub async fn run(gitlab: &str, rows: usize, rest: Duration) {
    println!("\n{} merge requests wait", thousands(rows as f64));
    for (what, later) in
        [("due in a year", Duration::from_secs(365 * 24 * 3600)), ("due now", Duration::ZERO)]
    {
        let folder = conditions::folder();
        let listen = "127.0.0.1:0";
        let policies = Path::new(POLICIES);
        let setup = Setup { folder: folder.path(), gitlab, token: "glpat-of-nobody", policies, listen };
        // The product makes its own tables.
        setup.start().terminate();
        fill(folder.path(), rows, later);
        let begun = Instant::now();
        let product = setup.start();
        ready(product.address()).await;
        let started = begun.elapsed();
        tokio::time::sleep(rest).await;
        let (resident, peak) = (product.resident(), product.peak());
        // Others than those that wait.
        let writer = Writer::new(1006, 17, 1, 500);
        let requests = Arc::new(writer.requests(0..DELIVERIES));
        let address = product.address();
        let outcome =
            load::flood(address, &requests, 0..DELIVERIES, CONNECTIONS, rest.max(Duration::from_secs(5)));
        let outcome = outcome.await.all_taken("the product");
        println!(
            "  {what}: ready after {:.2} s; {resident:.1} MB after {rest:?} (at most {peak:.1}); {:.1} MB after {} \
             more deliveries at {}/s, p99 {:.1} ms (at most {:.1} MB)",
            started.as_secs_f64(),
            product.resident(),
            outcome.taken(),
            thousands(outcome.rate()),
            outcome.latencies.percentile(0.99),
            product.peak(),
        );
        product.kill();
        let kept = rows_of(folder.path(), "delivery");
        assert_eq!(kept, rows + outcome.taken(), "every delivery is on disk");
        assert!(rows_of(folder.path(), "lane") >= rows, "every merge request is still there");
    }
}

fn fill(folder: &Path, rows: usize, later: Duration) {
    let connection = Connection::open(database(folder)).expect("the database can be opened");
    let now = jiff::Timestamp::now().as_millisecond();
    let due = now + i64::try_from(later.as_millis()).expect("less than an age");
    let rows = i64::try_from(rows).expect("a number of rows");
    let filled = connection
        .execute(DELIVERY_ROWS, (rows, now))
        .and_then(|_| connection.execute(LANE_ROWS, [due]))
        .and_then(|_| connection.pragma_update(None, "wal_checkpoint", "TRUNCATE"));
    filled.expect("the rows fit the tables of this release");
}

fn rows_of(folder: &Path, table: &str) -> usize {
    let connection = Connection::open(database(folder)).expect("the database can be opened");
    let count = format!("SELECT count(*) FROM {table}");
    let rows: i64 = connection.query_row(&count, [], |row| row.get(0)).expect("rows can be counted");
    usize::try_from(rows).expect("no negative number of rows")
}
