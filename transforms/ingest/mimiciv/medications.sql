-- Orders and administrations, one table.
select * from door.orders
union all
select * from door.administrations
