-- Every grant: the signing key of an assertion, whose token it is, and what a person does about a dead one.
alter table credentials add column username text;
alter table credentials add column private_key_sealed bytea;
alter table credentials add column private_key_hint text;
alter table credentials add column uses_pkce bigint not null default 1;
alter table credentials add column health_problem text;
alter table credentials add column connected_as text;
alter table credentials add column connected_by text;
alter table credentials add column connected_at bigint;
-- A person's sign-in at the vendor's: good once, for minutes, for one person in one session. Only a hash of the state is stored; secret,
-- verifier and device code are sealed together and gone once it ends.
create table signins (
    id text primary key,
    profile_id text not null references profiles (id),
    alias_id text not null references aliases (id),
    grant_kind text not null,
    state text not null check (state in ('waiting', 'taken', 'done', 'refused')),
    state_hash text unique,
    login_url text not null,
    redirect_uri text not null,
    client_id text not null,
    uses_pkce bigint not null,
    offer_sealed bytea,
    user_code text,
    interval_s bigint not null,
    principal_id text not null references principals (id),
    session_id text,
    problem text,
    expires_at bigint not null,
    ended_at bigint,
    created_at bigint not null
);
create index signins_by_expiry on signins (expires_at);
