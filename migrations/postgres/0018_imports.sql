-- Sources without a connector (a person or a program brings a file), and sign-ins of an identity provider as a further source of use.
-- Where an organization's rows come from: 'vendor' = downloaded by a connector, 'import' = brought by a file. Nobody can be asked
-- to take seats back at an imported one.
alter table organizations add column kind text not null default 'vendor';
-- Whether the later of the vendor's last activity and the last sign-in counts for the rules. Off unless a person says so.
alter table organizations add column counts_sign_ins bigint not null default 0;
create table import_sources (
    profile_id text primary key references profiles (id),
    organization_id text not null references organizations (id),
    publisher text not null,
    created_by text not null,
    created_at bigint not null
);
-- A file as it was brought, its text in chunks of whole lines; the text of old ones is dropped, the row stays.
create table import_files (
    id text primary key,
    profile_id text not null references profiles (id),
    name text not null,
    digest text not null,
    byte_count bigint not null,
    encoding text not null,
    separator text not null,
    -- JSON list of the heading line's cells.
    headings text not null,
    line_count bigint not null,
    -- JSON: what each column is read as.
    mapping text not null,
    -- JSON: what reading it that way comes to, with the first lines that cannot be used.
    judged text not null,
    -- JSON list of the lines that cannot be used.
    bad_lines text not null,
    state text not null check (state in ('kept', 'dropped')),
    brought_by text not null,
    version bigint not null default 1,
    created_at bigint not null
);
create index import_files_by_profile on import_files (profile_id, created_at);
create table import_chunks (
    file_id text not null references import_files (id),
    chunk_no bigint not null,
    first_line bigint not null,
    body text not null,
    primary key (file_id, chunk_no)
);
-- Which file a run reads, and how it was decided to be read.
create table import_runs (
    run_id text primary key references runs (id),
    file_id text not null references import_files (id),
    mapping text not null,
    left_out text not null,
    accounts bigint not null,
    created_at bigint not null
);
create index import_runs_by_file on import_runs (file_id, created_at);
-- An identity provider, its applications, and the last sign-in of each login to each.
create table identity_sources (
    id text primary key,
    name text not null unique,
    created_by text not null,
    created_at bigint not null
);
create table identity_applications (
    id text primary key,
    source_id text not null references identity_sources (id),
    name text not null,
    organization_id text references organizations (id),
    version bigint not null default 1,
    created_at bigint not null,
    unique (source_id, name)
);
create index identity_applications_by_organization on identity_applications (organization_id);
create table identity_signins (
    application_id text not null references identity_applications (id),
    -- Folded.
    login text not null,
    last_at bigint not null,
    -- It is an account of the application's organization.
    is_matched bigint not null default 0,
    created_at bigint not null,
    primary key (application_id, login)
);
-- The last sign-in of each account, resolved anew whenever sign-ins, accounts or matches change.
create table account_signins (
    organization_id text not null,
    account_id text not null,
    at bigint not null,
    application_id text not null references identity_applications (id),
    primary key (organization_id, account_id)
);
-- As before, with the last sign-in beside the vendor's own activity. `vendor_baseline_at` is the clock by the vendor alone,
-- `signed_baseline_at` by the later of both; `baseline_at` is the one that the organization's setting chooses.
drop view current_subscriptions;
create view current_subscriptions as
select t.*,
       case when t.counts_sign_ins = 1 then t.signed_baseline_at else t.vendor_baseline_at end as baseline_at,
       case when t.activity_state = 'never' and (t.counts_sign_ins = 0 or t.signed_in_at is null) then 1 else 0 end as is_never_active,
       case when t.activity_state = 'never' and t.signed_in_at is null then 1 else 0 end as is_never_signed
from (
    select a.*,
           case when a.vendor_assigned_at is null then null
                when a.reset_at is not null and a.reset_at > a.vendor_assigned_at then a.reset_at
                else a.vendor_assigned_at end as vendor_baseline_at,
           case when a.signed_assigned_at is null then null
                when a.reset_at is not null and a.reset_at > a.signed_assigned_at then a.reset_at
                else a.signed_assigned_at end as signed_baseline_at
    from (
        select b.*,
               case when b.vendor_since_at is null then null
                    when b.assigned_at is not null and b.assigned_at > b.vendor_since_at then b.assigned_at
                    else b.vendor_since_at end as vendor_assigned_at,
               case when b.signed_since_at is null then null
                    when b.assigned_at is not null and b.assigned_at > b.signed_since_at then b.assigned_at
                    else b.signed_since_at end as signed_assigned_at
        from (
            select s.*,
                   case when s.signed_in_at is not null and (s.vendor_since_at is null or s.signed_in_at > s.vendor_since_at)
                        then s.signed_in_at else s.vendor_since_at end as signed_since_at
            from (
                select sub.organization_id, sub.account_id, sub.identifier, sub.is_active, sub.assigned_at, sub.valid_from, sub.evidence,
                       org.connector_id, org.kind as organization_kind, org.counts_sign_ins,
                       idn.label, idn.product_id, idn.is_excluded_from_position,
                       prd.name as product_name, prd.is_free,
                       acc.principal, acc.email, acc.name, acc.kind, acc.frozen, acc.attributes,
                       acc.activity_state, acc.activity_at, acc.created_on_vendor_at, acc.first_seen_at,
                       mat.person_id, res.reset_at, res.cool_down_until, sig.at as signed_in_at,
                       case acc.activity_state when 'at' then acc.activity_at
                            when 'never' then acc.created_on_vendor_at else null end as vendor_since_at
                from subscriptions sub
                join accounts acc on acc.organization_id = sub.organization_id and acc.vendor_id = sub.account_id and acc.valid_to is null
                join organizations org on org.id = sub.organization_id
                left join identifiers idn on idn.connector_id = org.connector_id and idn.identifier = sub.identifier
                left join products prd on prd.id = idn.product_id
                left join matches mat on mat.organization_id = sub.organization_id and mat.account_id = sub.account_id
                left join account_signins sig on sig.organization_id = sub.organization_id and sig.account_id = sub.account_id
                left join (
                    select organization_id, account_id, max(at) as reset_at, max(cool_down_until) as cool_down_until
                    from clock_resets group by organization_id, account_id
                ) res on res.organization_id = sub.organization_id and res.account_id = sub.account_id
                where sub.valid_to is null
            ) s
        ) b
    ) a
) t;
