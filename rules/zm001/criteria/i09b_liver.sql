-- title:    Liver function
-- title_zh: 肝功能
-- kind:     inclusion
-- reading:  ALT and AST at most 2.5 × ULN, total bilirubin at most 1.5 × ULN, latest within P:chemistry_days; with Gilbert's syndrome 5, 5 and 3.
-- caveats:  Limits of normal are those of the row; a default is said.
-- sources:  analytes alt, ast, bilirubin_total; concept gilbert
-- on_fail:  changeable
with parts as (
    select
        alt.patient_id,
        [
            judge_times_limit(alt.latest, alt.nothing, case when g.patient_id is null then 2.5 else 5 end),
            judge_times_limit(ast.latest, ast.nothing, case when g.patient_id is null then 2.5 else 5 end),
            judge_times_limit(bilirubin.latest, bilirubin.nothing, case when g.patient_id is null then 1.5 else 3 end)
        ] as parts
    from latest_result('alt', param('chemistry_days')) as alt
    inner join latest_result('ast', param('chemistry_days')) as ast on alt.patient_id = ast.patient_id
    inner join latest_result('bilirubin_total', param('chemistry_days')) as bilirubin on alt.patient_id = bilirubin.patient_id
    left join events(['gilbert'], ['diagnoses'], null) as g on alt.patient_id = g.patient_id
)

select patient_id, unnest(all_of(parts)) from parts
