-- External vaults, and the fields of a credential that are fetched there each time they are needed. What a vault gives is never stored;
-- its own token is sealed.
create table vaults (
    id text primary key,
    name text not null unique,
    kind text not null check (kind in ('cyberark_ccp', 'kv_v2')),
    address text not null,
    app_id text not null,
    mount text not null,
    namespace text not null,
    token_sealed blob,
    token_hint text,
    key_id text,
    roots_pem text,
    set_by text not null,
    set_at bigint not null,
    version bigint not null default 1,
    created_at bigint not null
);
create table vault_fields (
    alias_id text not null references aliases (id),
    field text not null check (field in ('client_secret', 'refresh_token', 'private_key')),
    vault_id text not null references vaults (id),
    query text not null,
    property text not null,
    set_by text not null,
    set_at bigint not null,
    primary key (alias_id, field)
);
create index vault_fields_by_vault on vault_fields (vault_id);
