-- The one definition of a subscription as rules, lists and positions see it today. `baseline_at` is where the clock of
-- inactivity starts: the last activity, or creation when there was none, never before the seat was assigned or the clock
-- was reset; null means that it cannot be judged (unknown is never zero).
create view current_subscriptions as
select t.*,
       case when t.since_assigned_at is null then null
            when t.reset_at is not null and t.reset_at > t.since_assigned_at then t.reset_at
            else t.since_assigned_at end as baseline_at
from (
    select s.*,
           case when s.since_activity_at is null then null
                when s.assigned_at is not null and s.assigned_at > s.since_activity_at then s.assigned_at
                else s.since_activity_at end as since_assigned_at
    from (
        select sub.organization_id, sub.account_id, sub.identifier, sub.is_active, sub.assigned_at, sub.valid_from, sub.evidence,
               org.connector_id, idn.label, idn.product_id, idn.is_excluded_from_position,
               prd.name as product_name, prd.is_free,
               acc.principal, acc.email, acc.name, acc.kind, acc.frozen, acc.attributes,
               acc.activity_state, acc.activity_at, acc.created_on_vendor_at, acc.first_seen_at,
               mat.person_id, res.reset_at, res.cool_down_until,
               case acc.activity_state when 'at' then acc.activity_at
                    when 'never' then acc.created_on_vendor_at else null end as since_activity_at
        from subscriptions sub
        join accounts acc on acc.organization_id = sub.organization_id and acc.vendor_id = sub.account_id and acc.valid_to is null
        join organizations org on org.id = sub.organization_id
        left join identifiers idn on idn.connector_id = org.connector_id and idn.identifier = sub.identifier
        left join products prd on prd.id = idn.product_id
        left join matches mat on mat.organization_id = sub.organization_id and mat.account_id = sub.account_id
        left join (
            select organization_id, account_id, max(at) as reset_at, max(cool_down_until) as cool_down_until
            from clock_resets group by organization_id, account_id
        ) res on res.organization_id = sub.organization_id and res.account_id = sub.account_id
        where sub.valid_to is null
    ) s
) t;
