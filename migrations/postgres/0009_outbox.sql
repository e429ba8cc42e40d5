-- Messages written in the transaction of their cause; each is sent once.
create table outbox (
    id text primary key,
    kind text not null,
    unique_key text not null unique,
    recipient text not null,
    subject text not null,
    body text not null,
    subject_kind text not null,
    subject_id text not null,
    state text not null check (state in ('due', 'sent', 'failed', 'withdrawn')),
    due_at bigint not null,
    attempts bigint not null default 0,
    sent_at bigint,
    last_error text,
    created_at bigint not null
);
create index outbox_due on outbox (state, due_at);
