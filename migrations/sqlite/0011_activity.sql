-- User activity read deeper than the last login: which run counted a day last, so that a page adds to the counts of its own run and
-- replaces those of an earlier one; who was seen by a run; and from when to when the vendor's history has been read.
alter table activity_days add column run_id text not null default '';

create table staged_activity (
    run_id text not null,
    account_id text not null,
    -- Last success; null: only failures.
    last_at bigint,
    primary key (run_id, account_id)
);

-- What a run reads: 'subscriptions' (and what the vendor counts), or 'activity', which follows it.
alter table runs add column process text not null default 'subscriptions';
-- Rows of activity that the run brought: one per account, day, kind and outcome of a page.
alter table runs add column activity bigint not null default 0;
-- Of runs that read activity: what the vendor could tell, and until when it was asked.
alter table runs add column history_from bigint;
alter table runs add column history_until bigint;

alter table organizations add column history_from bigint;
alter table organizations add column history_until bigint;
