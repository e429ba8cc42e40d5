-- How the requests of a connection leave: a proxy with a login of its own, further trusted roots, further hosts. A child inherits
-- proxy and roots from its parent unless it has its own; never the hosts, never the address or the secret. The password is sealed.
alter table connections add column proxy_use text not null default 'inherit' check (proxy_use in ('inherit', 'direct', 'own'));
alter table connections add column proxy_user text;
alter table connections add column proxy_password_sealed bytea;
alter table connections add column proxy_password_hint text;
alter table connections add column proxy_set_by text;
alter table connections add column proxy_set_at bigint;
alter table connections add column roots_pem text;
alter table connections add column roots_set_by text;
alter table connections add column roots_set_at bigint;
alter table connections add column extra_hosts text not null default '[]';
