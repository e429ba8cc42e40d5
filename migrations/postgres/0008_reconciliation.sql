-- Results are never overwritten: each reconciliation keeps its own positions.
create table reconciliations (
    id text primary key,
    number text not null unique,
    trigger text not null,
    ran_at bigint not null,
    as_of_day text not null,
    state text not null,
    -- JSON: per organization the run it stands on and its age.
    basis text not null,
    totals text not null,
    digest text not null,
    created_at bigint not null
);
create index reconciliations_by_time on reconciliations (ran_at);
create table positions (
    reconciliation_id text not null references reconciliations (id),
    product_id text not null references products (id),
    -- 'contract' or an organization id
    scope text not null,
    metric text not null,
    owned bigint,
    active bigint not null,
    used bigint not null,
    available bigint,
    needed bigint not null,
    vendor_owned bigint,
    vendor_used bigint,
    typed_owned bigint,
    status text not null,
    unit_price_micros bigint,
    currency text,
    true_up_minor bigint,
    over_licensed_minor bigint,
    spend_minor bigint,
    candidates bigint not null,
    potential_minor bigint,
    percent_unused_tenths bigint not null,
    detail text not null,
    primary key (reconciliation_id, product_id, scope)
);
create table savings_events (
    id text primary key,
    organization_id text not null,
    product_id text not null references products (id),
    candidate_id text,
    action_id text,
    kind text not null check (kind in ('seat_returned', 'avoided', 'cash', 'netted')),
    seats bigint not null,
    amount_minor bigint,
    currency text,
    explained text not null,
    at bigint not null
);
create unique index savings_once on savings_events (action_id, product_id, kind, seats);
