-- Rights owned and what they cost. Unit prices carry six decimals (micro-units of the currency's major unit).
create table entitlements (
    id text primary key,
    number text not null unique,
    product_id text not null references products (id),
    -- null with is_shared = 1: the contract's, for every org; null with 0: price only, seats are enforced per org by the vendor.
    organization_id text references organizations (id),
    is_shared bigint not null,
    -- null = unlimited
    rights bigint,
    unit_price_micros bigint not null,
    currency text not null,
    period text not null check (period in ('month', 'quarter', 'year', 'entire')),
    starts_on text not null,
    ends_on text not null,
    state text not null check (state in ('build', 'in_use', 'retired')),
    source text not null,
    source_rank bigint not null,
    note text,
    created_by text not null,
    changed_by text not null,
    version bigint not null default 1,
    created_at bigint not null,
    updated_at bigint not null
);
create index entitlements_by_product on entitlements (product_id);
create table allocations (
    id text primary key,
    entitlement_id text not null references entitlements (id),
    person_id text not null references people (id),
    rights bigint not null,
    created_by text not null,
    created_at bigint not null
);
create table exchange_rates (
    from_currency text not null,
    to_currency text not null,
    on_day text not null,
    rate_micros bigint not null,
    source text not null,
    created_at bigint not null,
    primary key (from_currency, to_currency, on_day)
);
