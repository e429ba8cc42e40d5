-- What the vendor said, as validity intervals: a row is written only on change, `valid_to is null` is the current one.
create table accounts (
    organization_id text not null,
    vendor_id text not null,
    valid_from bigint not null,
    valid_to bigint,
    principal text not null,
    email text,
    name text,
    kind text not null,
    is_active bigint not null,
    frozen text not null check (frozen in ('yes', 'no', 'unknown')),
    created_on_vendor_at bigint,
    attributes text not null,
    -- Moves forward in place, never back; past values are in activity_days.
    activity_state text not null check (activity_state in ('unknown', 'never', 'at')),
    activity_at bigint,
    first_seen_at bigint not null,
    is_gone bigint not null default 0,
    primary key (organization_id, vendor_id, valid_from)
);
create unique index accounts_current on accounts (organization_id, vendor_id) where valid_to is null;
create table subscriptions (
    organization_id text not null,
    account_id text not null,
    identifier text not null,
    valid_from bigint not null,
    valid_to bigint,
    is_active bigint not null,
    assignment_id text,
    assigned_at bigint,
    ended_at bigint,
    source text not null,
    evidence text not null,
    primary key (organization_id, account_id, identifier, valid_from)
);
create unique index subscriptions_current on subscriptions (organization_id, account_id, identifier) where valid_to is null;
create index subscriptions_by_identifier on subscriptions (organization_id, identifier) where valid_to is null;
create table activity_days (
    organization_id text not null,
    account_id text not null,
    day text not null,
    kind text not null,
    outcome text not null,
    source text not null,
    event_count bigint not null,
    last_at bigint not null,
    primary key (organization_id, account_id, day, kind, outcome, source)
);
create table pools (
    organization_id text not null,
    identifier text not null,
    metric text not null,
    valid_from bigint not null,
    valid_to bigint,
    label text not null,
    owned bigint,
    used bigint,
    period_from text,
    period_to text,
    expires text,
    is_active bigint not null,
    attributes text not null,
    primary key (organization_id, identifier, metric, valid_from)
);
create unique index pools_current on pools (organization_id, identifier, metric) where valid_to is null;
-- A clock that starts anew for one account: keep, undo, reactivation, new assignment.
create table clock_resets (
    organization_id text not null,
    account_id text not null,
    at bigint not null,
    cause text not null,
    subject_id text not null,
    cool_down_until bigint,
    primary key (organization_id, account_id, at, cause)
);
