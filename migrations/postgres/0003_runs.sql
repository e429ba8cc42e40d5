-- Due work, runs with lease, fence and page checkpoints, and the staging tables a run fills page by page.
create table jobs (
    id text primary key,
    kind text not null,
    organization_id text,
    unique_key text not null unique,
    subject_id text,
    state text not null check (state in ('due', 'running', 'done', 'failed', 'cancelled')),
    due_at bigint not null,
    attempts bigint not null default 0,
    lease_until bigint not null default 0,
    fence bigint not null default 0,
    owner text,
    payload text not null default '{}',
    -- Raised when new work arrives while the job runs; it is then due again at once.
    wakes bigint not null default 0,
    last_error text,
    created_at bigint not null,
    finished_at bigint
);
create index jobs_due on jobs (state, due_at);
create table runs (
    id text primary key,
    number text not null unique,
    profile_id text not null references profiles (id),
    organization_id text references organizations (id),
    job_id text not null references jobs (id),
    kind text not null check (kind in ('full', 'incremental')),
    trigger text not null,
    state text not null check (state in ('queued', 'running', 'paused_quota', 'held', 'complete', 'failed', 'cancelled')),
    stage text not null default 'queued',
    since bigint,
    started_at bigint,
    ended_at bigint,
    connector_digest text,
    expected_accounts bigint,
    pages bigint not null default 0,
    accounts bigint not null default 0,
    assignments bigint not null default 0,
    facts bigint not null default 0,
    pools bigint not null default 0,
    out_of_scope bigint not null default 0,
    retries bigint not null default 0,
    -- Differences applied at the end: JSON counts by kind.
    changes text not null default '{}',
    error_code text,
    error_message text,
    error_fix text,
    accepted_by text,
    accepted_reason text,
    notes text not null default '[]',
    created_by text not null,
    created_at bigint not null
);
create index runs_by_profile on runs (profile_id, created_at);
create table run_chains (
    run_id text not null references runs (id),
    process text not null,
    chain_no bigint not null,
    cursor_sealed bytea,
    pages bigint not null default 0,
    is_ended bigint not null default 0,
    last_cursor_digest text,
    primary key (run_id, process, chain_no)
);
create table staged_accounts (
    run_id text not null,
    vendor_id text not null,
    principal text not null,
    email text,
    name text,
    kind text not null,
    is_active bigint not null,
    created_on_vendor_at bigint,
    activity_state text not null,
    activity_at bigint,
    frozen text not null,
    attributes text not null,
    primary key (run_id, vendor_id)
);
create table staged_subscriptions (
    run_id text not null,
    account_id text not null,
    identifier text not null,
    assignment_id text,
    assigned_at bigint,
    evidence text not null,
    primary key (run_id, account_id, identifier)
);
create table staged_facts (
    run_id text not null,
    account_id text not null,
    fact text not null,
    value text,
    at bigint,
    primary key (run_id, account_id, fact)
);
create table staged_pools (
    run_id text not null,
    identifier text not null,
    metric text not null,
    label text not null,
    owned bigint,
    used bigint,
    period_from text,
    period_to text,
    expires text,
    is_active bigint not null,
    attributes text not null,
    primary key (run_id, identifier, metric)
);
