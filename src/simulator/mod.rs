//! A GitLab with state, over real HTTP: the `demo` command and all integration tests run against it.
//!
//! A gate must be tried against what GitLab really does, not against canned answers: heads move while an answer is
//! on its way, rows time out, deliveries come twice or never. So this is a small GitLab. [`Simulator`] serves its
//! REST API on 127.0.0.1; [`Gitlab`] is a handle by which a test or the demo says what people do there and reads what
//! became of it; deliveries leave as real POSTs. There may be several in one process, and they share nothing.
//!
//! What must never be: no product path but `demo` uses it; it knows nothing of policy and of our client, so it can't
//! repeat their mistakes; where it knows that it differs from GitLab it says so below.
//!
//! Inside, from the bottom up: plain state (`accounts`, `namespaces`, `diffs`, `issues`, `merge_requests`, `merge_trains`, `status_checks`,
//! `hooks`, `repository`, `snapshot`); `world` holds all of it behind one lock, with what can happen in it beside (`founding`, `access`,
//! `pushing`, `answering`, `reporting`, `reviewing`, `boarding`, `linking`, `trees`, `payload`, `announce`, `companions`); `post_office` sends, `faults` and `calls` look on,
//! `shared` ties them together; `handle` and `api` are the two ways in, and `server` is the HTTP around `api`.
//!
//! # What it does of the contract's section 7
//!
//! Tests are in `tests/it/simulator/`, or at the end of the file that is named; `tests/it/house.rs` holds that they are there.
//!
//! | point | where | shown by |
//! |---|---|---|
//! | 1 status-check headers, signature, form before 17.3 | `announce`, `digest` | `a_status_check_gets_a_signed_body_and_no_other_header_of_gitlab_s`, `before_17_3_a_status_check_is_a_form_without_a_signature` |
//! | 1 answers ignored, four tries when nothing answers | `post_office` | `a_status_check_gets_a_signed_body_and_no_other_header_of_gitlab_s`, `a_check_that_nobody_takes_is_sent_four_times_and_a_hook_once` |
//! | 1 loss, duplicates, stale snapshots, reordering | `post_office` | `deliveries_can_be_kept_back_lost_and_doubled_and_show_the_moment_of_their_event`, `a_late_delivery_is_overtaken` |
//! | 1 no `action` on Retry | `announce` | `a_push_names_the_old_head_and_a_retry_names_nothing` |
//! | 1 when it fires and when not (3.3) | `handle` | `each_action_sends_what_gitlab_would_send_and_the_silent_ones_send_nothing`, `approvals_are_told_apart_by_what_is_left` |
//! | 2 order, statuses and bodies of refusals | `api/checks.rs`, `api/mod.rs` | `each_refusal_has_its_status_and_its_envelope`, `refusals_come_in_gitlab_s_order` |
//! | 2 created without `status`, many rows of which the last one counts, whosever it is | `api/checks.rs`, `status_checks` | `an_answer_is_created_and_echoes_neither_status_nor_sha`, `somebody_else_s_answer_counts_like_ours` |
//! | 2 what is accepted although one would not think so | `api/checks.rs` | `another_project_s_check_is_not_found_and_a_check_for_another_branch_is_taken_unseen`, `closed_merge_requests_are_answered_and_archived_projects_are_not` |
//! | 2 14.0, 14.9, 15, 16.5, 16.6, 19 | `release` | `versions_differ_in_what_they_take_and_show` |
//! | 3 explicit pending times out, heartbeat, Retry | `status_checks` | `explicit_pending_fails_after_two_minutes_and_implicit_pending_never_does`, `retry_wants_a_failed_check_and_starts_its_time_anew` |
//! | 4 the list: roles, pages, what applies | `api/checks.rs` | `the_list_hides_urls_by_role_and_says_when_to_come_back`, `the_list_of_statuses_has_pages`, `another_project_s_check_is_not_found_and_a_check_for_another_branch_is_taken_unseen` |
//! | 5 merge gate, old rows revive | `payload`, `status_checks` | `gitlab_merges_only_what_passed_for_the_head`, `a_push_makes_all_pending_again_and_pushing_back_revives_the_old_rows` |
//! | 6 races, preparing, transient states | `faults`, `handle` | `something_can_happen_before_a_call_is_processed_or_after_it`, `a_merge_request_that_is_being_prepared_has_no_head_to_answer`, `transient_merge_states_can_be_said` |
//! | 7 what became of a hook's deliveries (17.3), hooks of groups, a local network that is not called | `api/hooks.rs`, `post_office` | `what_became_of_a_hook_s_deliveries_is_listed_newest_first`, `a_group_s_hooks_are_for_its_owners`, `an_address_of_the_local_network_is_called_only_where_that_is_allowed` |
//! | 7 hook headers, keys, signing, system hooks, redaction | `announce`, `post_office` | `hooks_carry_the_headers_of_their_version`, `a_hook_that_is_sent_again_keeps_its_key`, `each_request_of_a_hook_has_a_webhook_uuid_of_its_own_that_says_nothing`, `group_and_system_hooks_hear_what_they_want_to_hear`, `addresses_that_are_not_public_are_redacted_and_people_are_listed_when_there_are_some` |
//! | 7 ten seconds for a hook, and no second try | `announce`, `post_office` | `gitlab_waits_ten_seconds_for_a_hook_and_twenty_for_a_status_check`, `who_does_not_answer_in_time_is_given_up_and_a_hook_is_not_sent_again` |
//! | 7 hooks that GitLab calls no more after failures, where it does so, or when the test says so | `disabling` | `a_hook_that_fails_four_times_rests_for_a_minute_then_for_two_and_in_the_end_for_good`, `a_hook_that_takes_something_again_is_called_as_before` |
//! | 7 `changes: {}` of resolved threads and of Retry | `payload` | `each_action_sends_what_gitlab_would_send_and_the_silent_ones_send_nothing`, `a_push_names_the_old_head_and_a_retry_names_nothing` |
//! | 7 actions and fields that nobody knows | sent by a test itself | `an_action_that_nobody_knows_and_fields_that_nobody_reads_lead_to_a_look` |
//! | 1 and 7 deliveries that are under way at once | `post_office` | `deliveries_are_under_way_at_the_same_time` |
//! | 2 and beyond it: answers that were taken and are lost | `status_checks` | `when_the_newest_row_is_lost_the_one_before_it_counts_again`, `answers_that_gitlab_took_and_lost_are_said_again_and_told_like_a_stranger_s` |
//! | 7 hooks without Ultimate | `announce` | `unlicensed_gitlabs_send_no_status_checks_but_hooks` |
//! | 7 notes, pipelines, jobs, emoji, pushes, issues, members, projects, access tokens (4.1) | `announce`, `companions` | `what_accompanies_merge_requests_is_told_as_gitlab_tells_it`, `only_a_merge_request_s_own_pipeline_names_it`, `members_of_groups_are_told_to_groups_and_all_members_to_the_instance`, `what_becomes_of_a_project_is_told_to_the_instance_alone`, `older_versions_tell_of_neither_emoji_nor_edited_comments` |
//! | 8 pages, totals left out beyond 10,000, paths, moves, tags, dates | `api/page.rs`, `server` | `lists_come_in_pages_that_say_where_the_next_one_is`, `beyond_ten_thousand_entries_no_page_says_how_many_there_are`, `a_merge_request_says_what_it_is`, `a_moved_project_sends_readers_on_and_writers_away`, `every_answer_carries_the_date_the_rate_and_a_tag_that_saves_the_body` |
//! | 8 what is hidden is not found, members from above, forks that are gone | `access`, `api/namespaces.rs` | `membership_is_inherited_invited_and_hidden`, `a_deleted_fork_leaves_no_source_project` |
//! | 8 limits, proxies, resets, hangs, garbage, fields that are gone | `faults`, `throttle`, `server` | `a_field_can_be_missing_or_say_something_else`, `faults_skip_and_end_and_look_like_proxies_and_limits`, `a_rate_limit_is_kept_per_user_and_ends_with_the_minute`, `a_reset_connection_is_an_error_of_transport_and_nothing_was_done`, `a_call_hangs_until_it_is_released`, `bodies_can_be_garbage_or_break_off`, `an_answer_can_be_taken_without_the_caller_ever_learning`, `what_was_taken_in_is_done_later_although_the_caller_has_gone` |
//! | 8 lists of what changed, and what changes `updated_at` | `api/merge_requests.rs`, `reviewing` | `a_sweep_asks_for_what_changed_since`, `what_gitlab_touches_moves_to_the_end_of_the_list_and_nothing_else_does` |
//! | 8 partial diffs, `changes_count` as text | `diffs`, `api/entity.rs` | `a_version_holds_its_own_files_and_commits_whatever_was_pushed_later`, `a_merge_request_says_what_it_is`, `beyond_the_diff_limits_files_are_counted_and_not_listed` |
//! | 8 as a client that others wrote expects it | `api` | `python_gitlab_finds_what_it_expects_of_gitlab` |
//! | 8 diff limits of a version, trees whose ids say what is the same | `diffs`, `snapshot`, `trees` | `beyond_the_diff_limits_files_are_counted_and_not_listed`, `a_folder_has_the_same_id_exactly_if_all_in_it_is_the_same`, `a_tree_is_read_to_its_end_by_the_link_alone` |
//! | 9 GraphQL, for questions about one merge request | `api/graphql.rs` | `graphql_answers_200_and_says_what_failed`, `what_graphql_does_not_say_is_unknown` |
//! | 10 tokens, and who may not answer | `api/mod.rs`, `api/users.rs` | `each_refusal_has_its_status_and_its_envelope`, `tokens_that_are_not_good_enough_say_why`, `a_bearer_token_is_as_good`, `each_kind_of_token_says_what_it_is_where_gitlab_tells` (in `tests/it/setup/token.rs`) |
//! | beyond it: parents, merge bases and signatures of commits | `repository`, `api/projects.rs` | `the_repository_lists_a_range_with_parents_and_a_signature_has_a_verdict` |
//! | beyond it: a place on a merge train (15.6) | `boarding`, `api/merge_trains.rs` | `a_train_shows_a_place_on_it_until_a_push_takes_it_off`, `a_train_s_pipeline_is_listed_and_is_not_the_head_s` |
//! | beyond it: reviewers' states, ticks, conflicts | `api/merge_requests.rs`, `api/entity.rs` | `reviewers_are_listed_with_their_states`, `ticks_and_conflicts_are_shown_as_gitlab_shows_them` |
//! | beyond it: reviews that are submitted (19.3 tells of them) | `reviewing` | `a_submitted_review_is_told_since_19_3_and_before_by_its_comment_alone` |
//! | beyond it: jobs and bridges of pipelines | `api/pipelines.rs` | `a_pipeline_lists_the_newest_run_of_each_job_and_its_bridges_apart` |
//! | beyond it: commit statuses as parts of pipelines, with ref and number, and what can't become what it is | `reporting`, `api/commit_statuses.rs` | `a_commit_status_goes_into_the_pipeline_that_fits_and_makes_one_where_none_does`, `a_pipeline_stands_as_what_is_reported_in_it` |
//! | beyond it: labels that a bot adds and removes | `api/reviews.rs` | `labels_are_added_and_removed_and_remembered_by_whom`, `gitlab_remembers_who_set_a_label` |
//! | beyond it: issues that a merge closes or mentions (related ones since 17.x) | `linking`, `api/issues.rs` | `a_merge_closes_the_issues_that_its_description_says` |
//! | beyond it: merge requests that block (Premium, 17.x) | `api/issues.rs` | `what_blocks_is_listed_and_what_is_hidden_is_not_named` |
//! | beyond it: notes of a draft that comes and goes | `handle/edits.rs` | `gitlab_notes_when_a_draft_becomes_ready` |
//! | 11 version and edition | `release` | `without_ultimate_the_routes_answer_401_and_in_the_community_edition_there_are_none`, `version_and_edition_can_be_asked`, `what_a_version_does_not_know_it_passes_over_without_a_word` |
//!
//! # What is not there, or not so
//!
//! - GraphQL knows the fields in `api/graphql.rs` and no fragments, aliases or mutations. Diff limits are of files, not of lines or bytes.
//! - No emoji on notes, no approval rules with names, of OAuth only tokens that were given, and CODEOWNERS is a file like others. A milestone is its title alone.
//! - Conflicts are said by the test, and do not follow from what was pushed. A merge request says nothing of how far it is behind
//!   its target (`include_diverged_commits_count`); the commits say it.
//! - Quick actions in notes are plain text. A review is no batch of drafts: its state is said by the test.
//! - Merge trains do not run: who is on one, how it stands and when it is merged is said by the test. No list of them.
//! - Lists of merge requests know the scopes `all` and the caller's own; nothing is found by assignee or reviewer.
//! - Issues have no pages, events or comments of their own, and a milestone is only its title. A description closes issues by
//!   GitLab's default words and plain references; addresses of issues are not read, nor are commit messages.
//! - Jobs do nothing: how they stand is said by the test, and so is how their pipeline stands by them.
//! - A status that a test reports without the API (`report_status`) belongs to no pipeline. One for a commit that no merge
//!   request shows makes none.
//! - Which merge requests block is kept whatever is paid for, and read everywhere but in the Community Edition.
//! - Nothing is sent anew by API; a template of a hook is only shown, and there are no custom headers. A project that is renamed
//!   and moved at once is told as one that is moved; groups are not renamed.
//! - Deliveries carry only actions and fields that GitLab has; what else could come is sent by tests themselves.
//! - Every call needs a token: what is public to strangers on the web is not shown to them here.
//! - Explicit pending fails right after two minutes; GitLab's cron takes up to a minute more.
//! - A push to a closed merge request makes a diff version at once; GitLab waits for the reopening.
//! - Every list but that of a tree pages by offset, `pagination=keyset` too. `GET /users` finds by username and whole public address.
//! - Commits are listed by branch, SHA or `base..head` alone, and with totals. Signatures are said by the test.
//! - `compare` knows base to head of a version; for other pairs it lists which files of the trees differ.
//! - Silent mode and the 25 MB limit are not played. Local addresses are called unless the test says otherwise.

mod access;
mod accounts;
mod announce;
mod answering;
mod api;
mod boarding;
mod calls;
mod clock;
mod companions;
mod diffs;
mod digest;
mod disabling;
mod envelope;
mod error;
mod faults;
mod founding;
mod handle;
mod hooks;
mod issues;
mod linking;
mod merge_requests;
mod merge_trains;
mod namespaces;
mod new_merge_request;
mod pattern;
mod payload;
mod post_office;
mod pushing;
mod release;
mod reporting;
mod repository;
mod reviewing;
mod server;
mod shared;
mod snapshot;
mod status_checks;
mod throttle;
mod trees;
mod world;

pub use accounts::{AccountState, NewToken, NewUser, Scope};
pub use calls::{ApiCall, CallOutcome};
pub use diffs::{Commit, DiffLimits, DiffVersion, FileChange, NewCommit, Push, Signature};
pub use envelope::Recipient;
pub use error::SimulatorError;
pub use faults::{Fault, FaultId, FaultKind, Moment};
pub use handle::{Gitlab, ProjectSetting};
pub use hooks::{HookDisabled, HookEvent, HookSetting, NewHook};
pub use issues::{Issue, NewIssue};
pub use merge_requests::{
    Approved, Award, Discussion, LabelEvent, MergeRequest, MergeRequestState, NewJob, Note, PipelineJob,
    PipelineKind, PipelineRun,
};
pub use merge_trains::{TrainCar, TrainStatus};
pub use namespaces::{CommitStatus, Membership, NewGroup, NewProject, Place, Visibility};
pub use new_merge_request::NewMergeRequest;
pub use post_office::{Delivery, DeliveryState, Weather};
pub use release::Edition;
pub use status_checks::{CheckStatus, NewStatusCheck, StatusRow};

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;

use post_office::PostOffice;
use release::Release;
use shared::Shared;
use world::World;

use crate::clock::Clock;

/// What a simulator is to be.
#[derive(Debug, Clone)]
pub struct SimulatorOptions {
    /// The version, as `/version` says it.
    pub version: String,
    /// The edition.
    pub edition: Edition,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Where chance begins: event ids and the weather.
    pub seed: u64,
    /// How long a status-check delivery waits after a transport failure. GitLab waits 15 seconds and more.
    pub retry_delay: Duration,
    /// How many threads serve.
    pub workers: usize,
    /// What tells the time: everything that GitLab would stamp (versions, approvals, rows, the `Date` header, the timeout
    /// of explicit `pending`). A service that shares it lives in the same time.
    pub clock: Clock,
}

impl Default for SimulatorOptions {
    /// GitLab 18.3 Ultimate on a free port.
    fn default() -> Self {
        Self {
            version: "18.3.0-ee".to_owned(),
            edition: Edition::Ultimate,
            port: 0,
            seed: 1,
            retry_delay: Duration::from_millis(50),
            workers: 1,
            clock: Clock::default(),
        }
    }
}

/// A running simulator; dropping it stops it.
#[derive(Debug)]
pub struct Simulator {
    url: String,
    gitlab: Gitlab,
    server: ServerHandle,
}

impl Simulator {
    /// Starts one, empty. Deliveries run on the runtime that calls this.
    #[expect(clippy::unused_async, reason = "it must be called within a runtime")]
    pub async fn start(options: SimulatorOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        let url = format!("http://{}", listener.local_addr()?);
        let clock = options.clock.clone();
        let release = Release::new(&options.version, options.edition);
        // GitLab follows redirects like its HTTP client does; it never goes through a proxy of ours.
        let redirects = reqwest::redirect::Policy::limited(5);
        let client = reqwest::Client::builder().no_proxy().no_gzip().redirect(redirects).build();
        let client = client.map_err(io::Error::other)?;
        let runtime = tokio::runtime::Handle::current();
        let (seed, delay) = (options.seed, options.retry_delay);
        let post_office = Arc::new(PostOffice::new(client, clock.clone(), seed, delay, runtime));
        let world = World::new(url.clone(), clock.clone(), release, seed, Arc::clone(&post_office));
        let shared = Arc::new(Shared::new(world, clock, post_office));
        let server = server::serve(listener, Arc::clone(&shared), options.workers)?;
        Ok(Self { url, gitlab: Gitlab::new(shared), server })
    }

    /// Its address without a slash at the end, such as `http://127.0.0.1:40001`; the API is under `/api/v4`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A handle to say what happens in it.
    pub fn gitlab(&self) -> Gitlab {
        self.gitlab.clone()
    }

    /// Stops it; calls that are under way are cut off.
    pub async fn stop(self) {
        self.gitlab.lift_all();
        self.server.stop(false).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // The command is sent at once; there is no need to wait for its end.
        drop(self.server.stop(false));
    }
}
