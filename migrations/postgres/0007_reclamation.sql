-- Rules, their immutable versions, the two approvals, candidates, batches, actions. See the table of transitions in the code.
create table rules (
    id text primary key,
    number text not null unique,
    product_id text not null references products (id),
    name text not null,
    state text not null check (state in ('proposed', 'in_force', 'off')),
    current_version_id text,
    in_force_version_id text,
    version bigint not null default 1,
    created_at bigint not null
);
create unique index rules_one_per_product on rules (product_id) where state <> 'off';
create table rule_versions (
    id text primary key,
    rule_id text not null references rules (id),
    version_no bigint not null,
    -- Canonical JSON of the deciding fields; the digest is over exactly these bytes.
    deciding text not null,
    wording text not null,
    digest text not null,
    author_id text not null,
    authors text not null,
    created_at bigint not null,
    unique (rule_id, version_no)
);
create table approvals (
    id text primary key,
    subject_kind text not null check (subject_kind in ('rule_version', 'batch', 'mandate', 'write_mode')),
    subject_id text not null,
    digest text not null,
    principal_id text not null,
    via text not null,
    decision text not null check (decision in ('approved', 'refused')),
    reason text,
    seats bigint,
    valid_until bigint,
    created_at bigint not null
);
create index approvals_by_subject on approvals (subject_kind, subject_id);
-- One decision per person and digest: the same approval delivered twice is one.
create unique index approvals_once on approvals (subject_kind, subject_id, digest, principal_id);
create table mandates (
    id text primary key,
    rule_version_id text not null references rule_versions (id),
    per_day bigint not null,
    until bigint not null,
    granted_by text not null,
    created_at bigint not null
);
create table exemptions (
    id text primary key,
    organization_id text references organizations (id),
    account_id text,
    principal text,
    kind text not null,
    reason text not null,
    until bigint,
    created_by text not null,
    ended_at bigint,
    created_at bigint not null
);
create table candidates (
    id text primary key,
    number text not null unique,
    organization_id text not null references organizations (id),
    account_id text not null,
    identifier text not null,
    product_id text not null references products (id),
    rule_id text not null references rules (id),
    rule_version_id text not null references rule_versions (id),
    person_id text references people (id),
    state text not null,
    -- Where a held candidate returns to.
    held_from text,
    reason_code text,
    reason_text text,
    inactive_days bigint not null,
    baseline_at bigint not null,
    saving_minor bigint,
    currency text,
    action_id text,
    batch_id text,
    due_at bigint,
    state_since bigint not null,
    opened_at bigint not null,
    closed_at bigint,
    version bigint not null default 1
);
create unique index candidates_one_open on candidates (organization_id, account_id, identifier) where closed_at is null;
create index candidates_due on candidates (state, due_at);
create index candidates_by_rule on candidates (rule_id, state);
create table candidate_events (
    candidate_id text not null references candidates (id),
    seq bigint not null,
    at bigint not null,
    actor_id text not null,
    event text not null,
    from_state text,
    to_state text not null,
    reason text,
    primary key (candidate_id, seq)
);
create table batches (
    id text primary key,
    number text not null unique,
    rule_id text not null references rules (id),
    rule_version_id text not null references rule_versions (id),
    selection text not null check (selection in ('all', 'listed')),
    state text not null check (state in ('proposed', 'approved', 'superseded')),
    digest text not null,
    created_by text not null,
    approved_at bigint,
    version bigint not null default 1,
    created_at bigint not null
);
create table batch_items (
    batch_id text not null references batches (id),
    candidate_id text not null references candidates (id),
    plan_digest text not null,
    primary key (batch_id, candidate_id)
);
-- One action at the vendor may end several subscriptions; candidates point at it.
create table actions (
    id text primary key,
    number text not null unique,
    organization_id text not null references organizations (id),
    account_id text not null,
    kind text not null check (kind in ('reclaim', 'restore')),
    action text not null,
    target text not null,
    undoes_action_id text,
    state text not null check (state in ('planned', 'intended', 'unverified', 'done', 'refused', 'abandoned', 'undone')),
    plan text not null,
    plan_digest text not null,
    planned_at bigint not null,
    before_image_sealed bytea,
    intended_at bigint,
    intended_by text,
    fence bigint,
    ended_at bigint,
    receipt text,
    receipt_digest text,
    error_code text,
    error_text text,
    not_before bigint,
    attempts bigint not null default 0,
    version bigint not null default 1,
    created_at bigint not null
);
create index actions_by_account on actions (organization_id, account_id);
create table action_steps (
    action_id text not null references actions (id),
    attempt bigint not null,
    step_no bigint not null,
    request text not null,
    sent_at bigint not null,
    answered_at bigint,
    status bigint,
    answer text,
    judgement text,
    detail text,
    primary key (action_id, attempt, step_no)
);
-- Switches an operator throws: kill switch, freeze days, limits.
create table controls (
    name text primary key,
    value text not null,
    set_by text not null,
    reason text,
    set_at bigint not null
);
