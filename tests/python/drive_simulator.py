"""Drives the simulator's routes that python-gitlab knows, as anybody's script would drive GitLab.

    drive_simulator.py URL TOKEN PROJECT_ID IID

An independent client: it has its own idea of paths, pages, types and errors. Any surprise ends it with a traceback. Prints a
line for each thing that it did.
"""

import sys

import gitlab
from gitlab import exceptions

HOOK = "http://127.0.0.1:9/webhooks/gitlab"


def refused(error: type[exceptions.GitlabError], code: int, what) -> None:
    """Demands that a call is refused in the way that the client has an exception for."""
    try:
        what()
    except error as refusal:
        assert refusal.response_code == code, refusal
        return
    raise AssertionError(f"no {error.__name__} with {code}")


def instance(client: gitlab.Gitlab) -> None:
    client.auth()
    assert client.user.username == "olga"
    version, revision = client.version()
    assert version.startswith("18.3") and revision
    token = client.personal_access_tokens.get("self")
    assert token.active and "api" in token.scopes
    user = client.users.get(client.user.id)
    assert client.users.list(username=user.username)[0].id == user.id
    refused(exceptions.GitlabAuthenticationError, 401, lambda: gitlab.Gitlab(client.url, private_token="no").auth())


def configuration(project) -> None:
    check = project.external_status_checks.create(
        {"name": "second", "external_url": f"{HOOK}/second", "shared_secret": "secret"}
    )
    # python-gitlab calls the method by which a check is changed `update`.
    project.external_status_checks.update(check.id, {"name": "renamed"})
    names = {check.name for check in project.external_status_checks.list(get_all=True)}
    assert names == {"countersign", "renamed"}, names
    check.delete()
    refused(
        exceptions.GitlabCreateError,
        422,
        lambda: project.external_status_checks.create({"name": "countersign", "external_url": f"{HOOK}/third"}),
    )

    hook = project.hooks.create({"url": HOOK, "merge_requests_events": True, "token": "token"})
    hook.note_events = True
    hook.save()
    assert [hook.note_events for hook in project.hooks.list(get_all=True)] == [True]
    hook.delete()

    project.only_allow_merge_if_all_status_checks_passed = True
    project.save()
    assert project.only_allow_merge_if_all_status_checks_passed
    assert [branch.name for branch in project.protectedbranches.list(get_all=True)] == ["main"]


def code(project, merge_request) -> None:
    head = merge_request.sha
    assert project.commits.get(head).id == head
    assert head in [commit.id for commit in merge_request.commits()]
    version = merge_request.diffs.list(get_all=True)[0]
    assert version.head_commit_sha == head
    paths = [diff["new_path"] for diff in merge_request.diffs.get(version.id).diffs]
    assert paths, "a push changes something"
    base = version.base_commit_sha
    compared = project.repository_compare(base, head)
    assert [diff["new_path"] for diff in compared["diffs"]] == paths
    assert project.branches.get(merge_request.source_branch).commit["id"] == head
    assert project.repository_tree(ref="main", get_all=True)
    assert project.files.raw(file_path="README.md", ref="main") == b"read me\n"
    refused(exceptions.GitlabGetError, 404, lambda: project.files.raw(file_path="absent", ref="main"))

    status = project.commits.get(head).statuses.create({"state": "success", "name": "scan"})
    assert status.status == "success"
    assert "scan" in [status.name for status in project.commits.get(head).statuses.list(get_all=True)]


def people(client, project) -> None:
    member = project.members_all.get(client.user.id)
    assert member.access_level >= gitlab.const.AccessLevel.DEVELOPER
    group = client.groups.get("shop")
    assert [project.path_with_namespace for project in group.projects.list(get_all=True)] == ["shop/web"]
    refused(exceptions.GitlabGetError, 404, lambda: group.members_all.get(999_999))


def talk(merge_request) -> None:
    for number in range(45):
        merge_request.notes.create({"body": f"comment {number}"})
    notes = list(merge_request.notes.list(iterator=True, per_page=20, sort="asc"))
    assert [note.body for note in notes[-2:]] == ["comment 43", "comment 44"], "pages follow one another"
    notes[-1].body = "edited"
    notes[-1].save()
    notes[-2].delete()
    assert len(merge_request.discussions.list(get_all=True)) == len(notes) - 1

    award = merge_request.awardemojis.create({"name": "thumbsup"})
    assert [award.name for award in merge_request.awardemojis.list(get_all=True)] == ["thumbsup"]
    award.delete()

    merge_request.approve(sha=merge_request.sha)
    approved = merge_request.approvals.get().approved_by
    assert [approval["user"]["username"] for approval in approved] == ["olga"]
    merge_request.unapprove()
    assert merge_request.approvals.get().approved_by == []
    assert merge_request.resourcelabelevents.list(get_all=True) == []
    assert list(merge_request.closes_issues()) == []


def pipelines(project, merge_request) -> None:
    pipeline = merge_request.pipelines.list(get_all=True)[0]
    jobs = project.pipelines.get(pipeline.id, lazy=True).jobs.list(get_all=True)
    assert [(job.name, job.status) for job in jobs] == [("build", "failed")]
    assert project.pipelines.get(pipeline.id, lazy=True).bridges.list(get_all=True) == []


def status_checks(client, merge_request) -> None:
    (check,) = merge_request.status_checks.list(get_all=True)
    assert (check.name, check.status) == ("countersign", "pending")
    # The client has no method for an answer and none for Retry.
    below = f"/projects/{merge_request.project_id}/merge_requests/{merge_request.iid}"
    answer = {"external_status_check_id": check.id, "sha": merge_request.sha, "status": "failed"}
    client.http_post(f"{below}/status_check_responses", post_data=answer)
    assert merge_request.status_checks.list(get_all=True)[0].status == "failed"
    client.http_post(f"{below}/status_checks/{check.id}/retry")
    assert merge_request.status_checks.list(get_all=True)[0].status == "pending"
    moved = {**answer, "sha": "0" * 40}
    refused(
        exceptions.GitlabHttpError,
        409,
        lambda: client.http_post(f"{below}/status_check_responses", post_data=moved),
    )


def main() -> None:
    url, token, project_id, iid = sys.argv[1:]
    client = gitlab.Gitlab(url, private_token=token)
    project = client.projects.get(project_id)
    assert client.projects.get(project.path_with_namespace).id == project.id
    merge_request = project.mergerequests.get(iid)
    assert merge_request.iid in [one.iid for one in project.mergerequests.list(state="opened", iterator=True)]
    assert merge_request.iid in [one.iid for one in client.mergerequests.list(scope="all", iterator=True)]
    for what in (
        lambda: instance(client),
        lambda: status_checks(client, merge_request),
        lambda: configuration(project),
        lambda: code(project, merge_request),
        lambda: people(client, project),
        lambda: talk(merge_request),
        lambda: pipelines(project, merge_request),
    ):
        what()
        print(what.__code__.co_names[0])


if __name__ == "__main__":
    main()
