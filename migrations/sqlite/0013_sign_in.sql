-- How people prove who they are: passwords, second factors, tries, and what a session shows of itself.
create table passwords (
    principal_id text primary key references principals (id),
    -- PHC string: algorithm, parameters, salt and hash in one.
    hash text not null,
    set_at bigint not null
);
create table second_factors (
    principal_id text primary key references principals (id),
    secret_sealed blob not null,
    -- Absent until a first code has shown that the device holds the secret.
    confirmed_at bigint,
    -- The newest time step that a code was taken of; none is taken twice.
    last_step bigint not null,
    created_at bigint not null
);
create table recovery_codes (
    principal_id text not null references principals (id),
    code_hash text not null,
    used_at bigint,
    created_at bigint not null,
    primary key (principal_id, code_hash)
);
-- Tries of the present window, by account and by address; the subject is a digest of what was typed, whether or not it exists.
create table signin_tries (
    subject text primary key,
    tries bigint not null,
    began_at bigint not null
);
create index signin_tries_by_age on signin_tries (began_at);
-- A link signs in; a ticket says that the first factor was right and only a code is missing.
alter table signin_links add column purpose text not null default 'sign_in';
alter table sessions add column method text not null default 'link';
alter table sessions add column device text not null default '';
alter table sessions add column address text not null default '';
alter table sessions add column last_seen_at bigint;
create index sessions_by_principal on sessions (principal_id, ended_at);
-- Single sign-on at the company's identity provider: one row, id 'sso'.
create table sign_on (
    id text primary key,
    issuer text not null,
    client_id text not null,
    secret_sealed blob not null,
    secret_set_at bigint not null,
    scopes text not null,
    group_claim text not null,
    label text not null,
    is_on bigint not null,
    changed_by text not null,
    version bigint not null default 1,
    created_at bigint not null,
    updated_at bigint not null
);
create table sign_on_groups (
    group_name text not null,
    role text not null,
    created_at bigint not null,
    primary key (group_name, role)
);
-- Sign-ins that went to the identity provider and have not come back: good once, for minutes, in the browser that began them.
create table sign_on_attempts (
    state_hash text primary key,
    browser_hash text not null,
    issuer text not null,
    client_id text not null,
    bound_sealed blob not null,
    next text not null,
    expires_at bigint not null,
    created_at bigint not null
);
create index sign_on_attempts_by_age on sign_on_attempts (expires_at);
-- Who somebody is at an issuer, and the groups of their last sign-in, as a JSON list.
create table sign_on_people (
    issuer text not null,
    subject text not null,
    principal_id text not null references principals (id),
    groups text not null,
    last_at bigint not null,
    created_at bigint not null,
    primary key (issuer, subject)
);
-- A role that a group gives goes with the group; one given by hand stays.
alter table principal_roles add column from_group bigint not null default 0;
