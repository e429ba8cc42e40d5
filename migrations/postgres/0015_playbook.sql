-- The guided set-up. What each task was answered by whom stands in the tables it changes; here is only that it was, and when.
-- A draft made by the playbook has an empty login URL until the task that asks for it.
create table playbook_tasks (
    profile_id text not null references profiles (id),
    task text not null,
    -- done, not_needed or waiting (handed over); a task without a row is to do.
    state text not null check (state in ('done', 'not_needed', 'waiting')),
    -- What the host changed in what was typed, for the person.
    note text,
    saved_by text not null,
    saved_at bigint not null,
    version bigint not null default 1,
    created_at bigint not null,
    primary key (profile_id, task)
);
-- What the org behind a draft said of itself at the last checks. An organization's own row is made by publishing.
create table playbook_orgs (
    profile_id text primary key references profiles (id),
    vendor_org_id text not null,
    name text not null,
    environment text not null,
    edition text,
    time_zone text,
    accounts bigint,
    -- JSON: identifier, name, owned, used.
    pools text not null,
    quota_used bigint,
    quota_limit bigint,
    read_at bigint not null
);
-- A link by which somebody without an account answers one task, once. Only a hash is stored.
create table hand_overs (
    id text primary key,
    profile_id text not null references profiles (id),
    task text not null,
    token_hash text not null unique,
    -- For whom, in the words of who made it.
    recipient text not null,
    made_by text not null references principals (id),
    expires_at bigint not null,
    used_at bigint,
    created_at bigint not null
);
create index hand_overs_by_profile on hand_overs (profile_id, task);
-- The order in which a person should read the checks, which is the connector's.
alter table profile_checks add column position bigint not null default 0;
