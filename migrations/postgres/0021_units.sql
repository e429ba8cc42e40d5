-- Who sees which business units. A principal without a row sees all of them.

create table principal_units (
    principal_id text not null references principals (id),
    business_unit_id text not null references business_units (id),
    granted_by text not null,
    created_at bigint not null,
    primary key (principal_id, business_unit_id)
);

create index profiles_by_unit on profiles (business_unit_id);
create index people_by_unit on people (business_unit_id);
