-- Who may act, how they prove it, and what they did. Booleans are BIGINT 0/1 and times UTC milliseconds in every table,
-- because one SQL text serves both databases.
create table business_units (
    id text primary key,
    name text not null unique,
    created_at bigint not null
);
create table principals (
    id text primary key,
    kind text not null check (kind in ('person', 'service', 'system')),
    name text not null,
    email text unique,
    business_unit_id text references business_units (id),
    is_active bigint not null default 1,
    version bigint not null default 1,
    created_at bigint not null
);
create table principal_roles (
    principal_id text not null references principals (id),
    role text not null,
    granted_by text not null,
    created_at bigint not null,
    primary key (principal_id, role)
);
-- One-time sign-in links: only a hash is stored; consumed by POST, once.
create table signin_links (
    id text primary key,
    token_hash text not null unique,
    principal_id text not null references principals (id),
    expires_at bigint not null,
    used_at bigint,
    created_at bigint not null
);
create table sessions (
    id text primary key,
    token_hash text not null unique,
    csrf_token text not null,
    principal_id text not null references principals (id),
    expires_at bigint not null,
    ended_at bigint,
    created_at bigint not null
);
create table api_tokens (
    id text primary key,
    name text not null,
    token_hash text not null unique,
    principal_id text not null references principals (id),
    minted_by text not null,
    scopes text not null,
    expires_at bigint not null,
    revoked_at bigint,
    last_used_at bigint,
    created_at bigint not null
);
-- Numbers a person can say on the phone: PRF0001001, RUN0000042.
create table number_series (
    series text primary key,
    next_value bigint not null
);
-- Append-only, hash chained: digest = sha256(previous digest, canonical entry).
create table audit (
    seq bigint primary key,
    id text not null unique,
    at bigint not null,
    actor_id text not null,
    actor_via text not null,
    event text not null,
    subject_kind text not null,
    subject_id text not null,
    detail text not null,
    previous_digest text not null,
    digest text not null
);
create index audit_by_subject on audit (subject_kind, subject_id, seq);
-- Heads of the chain, signed with a key that is not in this database.
create table audit_heads (
    seq bigint primary key,
    digest text not null,
    key_id text not null,
    signature text not null,
    created_at bigint not null
);
