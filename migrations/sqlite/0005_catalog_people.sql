-- Identifiers become products become software models; accounts become people.
create table content_versions (
    id text primary key,
    connector_id text not null,
    version text not null,
    digest text not null,
    created_at bigint not null,
    unique (connector_id, digest)
);
create table products (
    id text primary key,
    publisher text not null,
    name text not null,
    metric text not null,
    is_free bigint not null,
    content_version_id text references content_versions (id),
    version bigint not null default 1,
    created_at bigint not null,
    unique (publisher, name)
);
-- One row per vendor key seen; product_id null = in the queue of unrecognised identifiers.
create table identifiers (
    connector_id text not null,
    identifier text not null,
    label text,
    product_id text references products (id),
    recognised_by text,
    recognised_at bigint,
    first_seen_at bigint not null,
    is_excluded_from_position bigint not null default 0,
    primary key (connector_id, identifier)
);
create table software_models (
    id text primary key,
    number text not null unique,
    product_id text not null unique references products (id),
    display_name text not null,
    is_generated bigint not null,
    is_under_management bigint not null default 1,
    version bigint not null default 1,
    created_at bigint not null
);
create table people (
    id text primary key,
    external_id text unique,
    name text not null,
    email text,
    email_folded text unique,
    business_unit_id text references business_units (id),
    is_active bigint not null default 1,
    version bigint not null default 1,
    created_at bigint not null
);
create table employments (
    id text primary key,
    person_id text not null references people (id),
    status text not null,
    department text,
    cost_centre text,
    manager_id text references people (id),
    valid_from bigint not null,
    valid_to bigint,
    created_at bigint not null
);
create unique index employments_current on employments (person_id) where valid_to is null;
create table resolution_rules (
    id text primary key,
    name text not null unique,
    source_field text not null,
    transform text not null,
    from_value text,
    to_value text,
    is_active bigint not null,
    version bigint not null default 1,
    created_at bigint not null
);
create table matches (
    organization_id text not null,
    account_id text not null,
    person_id text not null references people (id),
    matched_by text not null,
    created_at bigint not null,
    primary key (organization_id, account_id)
);
create index matches_by_person on matches (person_id);
