-- title:    Liver function
-- title_zh: 肝功能
-- kind:     inclusion
-- reading:  ALT and AST at most 2.5 × ULN, total bilirubin at most 1.5 × ULN, latest within P:chemistry_days; with Gilbert's syndrome 5, 5 and 3.
-- reading_zh: P:chemistry_days内最近一次结果：ALT、AST均≤2.5×ULN，总胆红素≤1.5×ULN；Gilbert综合征患者分别为5倍、5倍和3倍。
-- caveats:  Limits of normal are those of the row; a default is said.
-- caveats_zh: 正常值上限取该结果自带的参考范围；采用默认值时会注明。
-- sources:  analytes alt, ast, bilirubin_total within P:chemistry_days; concept gilbert in diagnoses ever
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

select patient_id, all_of(parts) as outcome from parts
