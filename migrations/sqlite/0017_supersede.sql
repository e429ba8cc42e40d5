-- One source counts instead of another. `at` is the end of every interval that it closed, by which they are opened again.
create table supersessions (
    id text primary key,
    organization_id text not null references organizations (id),
    by_organization_id text not null references organizations (id),
    reason text not null,
    at bigint not null,
    accounts bigint not null,
    subscriptions bigint not null,
    pools bigint not null,
    -- JSON: ids of the rights that were retired with it.
    entitlements text not null,
    made_by text not null,
    ended_at bigint,
    ended_by text,
    created_at bigint not null
);
create unique index supersessions_in_force on supersessions (organization_id) where ended_at is null;
