-- Connectors, connection & credential aliases (a child inherits from its parent, never the URL or the secret), organizations, profiles.
create table connectors (
    id text primary key,
    name text not null,
    version text not null,
    digest text not null,
    key_id text not null,
    consented_by text,
    consented_at bigint,
    row_version bigint not null default 1,
    created_at bigint not null
);
create table aliases (
    id text primary key,
    parent_id text references aliases (id),
    connector_id text not null references connectors (id),
    name text not null unique,
    -- Inherited by children unless set here; JSON of the inheritable properties.
    properties text not null,
    version bigint not null default 1,
    created_at bigint not null
);
create index aliases_by_parent on aliases (parent_id);
create table connections (
    alias_id text primary key references aliases (id),
    login_url text not null,
    org_id text,
    proxy_url text,
    version bigint not null default 1,
    created_at bigint not null,
    updated_at bigint not null
);
-- Sealed with AEAD; associated data = table, alias and column, so a row moved elsewhere does not open.
create table credentials (
    alias_id text primary key references aliases (id),
    grant_kind text not null,
    client_id text not null,
    client_secret_sealed blob,
    client_secret_hint text,
    refresh_token_sealed blob,
    access_token_sealed blob,
    access_expires_at bigint,
    grant_fields text not null default '{}',
    granted_scopes text not null default '',
    generation bigint not null default 0,
    key_id text not null,
    health text not null default 'untested' check (health in ('untested', 'good', 'needs_sign_in')),
    health_detail text,
    refreshed_at bigint,
    set_by text not null,
    set_at bigint not null,
    -- One refresher per credential across all hosts.
    lease_owner text,
    lease_until bigint not null default 0,
    version bigint not null default 1,
    created_at bigint not null
);
create table organizations (
    id text primary key,
    connector_id text not null references connectors (id),
    vendor_org_id text not null,
    name text not null,
    environment text not null,
    edition text,
    time_zone text,
    accounts_expected bigint,
    memo blob not null,
    -- The quota budget is the org's: syncs, checks and reclaims share it.
    quota_used bigint,
    quota_limit bigint,
    quota_read_at bigint,
    quota_paused_since bigint,
    created_at bigint not null,
    updated_at bigint not null,
    unique (connector_id, vendor_org_id)
);
create table profiles (
    id text primary key,
    number text not null unique,
    name text not null unique,
    connector_id text not null references connectors (id),
    alias_id text not null references aliases (id),
    organization_id text references organizations (id),
    business_unit_id text references business_units (id),
    state text not null check (state in ('draft', 'published', 'paused', 'archived')),
    write_mode text not null default 'dry_run' check (write_mode in ('off', 'dry_run', 'live')),
    settings text not null default '{}',
    scope text not null default '{}',
    schedule_cron text not null,
    schedule_zone text not null,
    quota_percent bigint not null default 75,
    attention text not null default '[]',
    created_by text not null,
    changed_by text not null,
    version bigint not null default 1,
    created_at bigint not null,
    updated_at bigint not null
);
-- Two published profiles never share an alias or an organization.
create unique index profiles_published_alias on profiles (alias_id) where state in ('published', 'paused');
create unique index profiles_published_organization on profiles (organization_id) where state in ('published', 'paused');
create table profile_checks (
    profile_id text not null references profiles (id),
    check_id text not null,
    title text not null,
    serves text not null,
    is_mandatory bigint not null,
    verdict text not null,
    evidence text not null,
    fix text,
    took_ms bigint not null,
    checked_at bigint not null,
    primary key (profile_id, check_id)
);
