-- Who sends mail, who is told of what, and where events are sent to.
-- The one mail server. Without a row mail is put into the pickup directory.
create table mail_servers (
    id text primary key,
    host text not null,
    port bigint not null,
    security text not null check (security in ('starttls', 'tls', 'none')),
    sender text not null,
    username text,
    password_sealed bytea,
    key_id text,
    -- A further trusted root of this server, PEM.
    root_pem text,
    set_by text not null,
    set_at bigint not null,
    version bigint not null default 1,
    created_at bigint not null
);
-- A person's own choice where it differs from what their roles are told.
create table notice_choices (
    principal_id text not null references principals (id),
    cause text not null,
    is_wanted bigint not null,
    created_at bigint not null,
    primary key (principal_id, cause)
);
create table webhooks (
    id text primary key,
    name text not null unique,
    url text not null,
    -- JSON list of causes.
    causes text not null,
    secret_sealed bytea not null,
    key_id text not null,
    state text not null check (state in ('on', 'off')),
    off_reason text,
    failing_since bigint,
    set_by text not null,
    set_at bigint not null,
    removed_at bigint,
    version bigint not null default 1,
    created_at bigint not null
);
-- What a message is made of: several notices of one cause to one person are one mail.
create table outbox_notices (
    message_id text not null references outbox (id),
    unique_key text not null unique,
    -- What happened; the same for everybody who is told of it.
    happening text not null,
    notice text not null,
    created_at bigint not null,
    primary key (message_id, unique_key)
);
alter table outbox add column channel text not null default 'mail';
-- The webhook, or the person by whose choice it is sent; empty for an address that is no principal's.
alter table outbox add column target_id text not null default '';
alter table outbox add column html text;
-- Notices with the same key go into one mail while it has not been tried.
alter table outbox add column group_key text;
alter table outbox add column answer text;
alter table outbox add column last_attempt_at bigint;
alter table outbox add column ended_at bigint;
create index outbox_notices_by_happening on outbox_notices (happening);
create unique index outbox_open_group on outbox (group_key) where state = 'due' and attempts = 0;
create index outbox_by_channel on outbox (channel, target_id, state, due_at);
create index outbox_by_time on outbox (created_at, id);
create index outbox_by_group on outbox (group_key, last_attempt_at);
