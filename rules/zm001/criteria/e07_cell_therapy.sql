-- title:    Gene-modified cell therapy ever
-- title_zh: 既往基因修饰细胞治疗
-- kind:     exclusion
-- reading:  A product, a diagnosis or a procedure ever, by any route.
-- reading_zh: 任何时间、任何途径的相关产品、诊断或操作。
-- caveats:  Cell therapy in an earlier trial may stand in notes alone.
-- caveats_zh: 以往试验中的细胞治疗可能只见于病历文书。
-- sources:  class gene_cell_therapy ever; concept gene_cell_therapy in diagnoses, procedures ever
-- on_fail:  lasting
with products as (
    select
        patient_id,
        max(start_date) as start_date,
        max_by(ingredient, {'a': start_date, 'b': medication_id}) as ingredient,
        list(cite('medications', medication_id, start_date)) as evidence
    from norm.medications
    where "class" = 'gene_cell_therapy'
    group by patient_id
),

recorded as (
    from events(['gene_cell_therapy'], ['diagnoses', 'procedures'], null)
)

select
    p.patient_id,
    case
        when m.patient_id is not null or r.patient_id is not null
            then failed(
                case when m.patient_id is not null then say('drug.given', m.ingredient, m.start_date) else said_event(r) end,
                coalesce(m.evidence, []) || coalesce(r.evidence, []),
                'lasting'
            )
        else n.nothing
    end as outcome
from norm.patients as p
left join products as m on p.patient_id = m.patient_id
left join recorded as r on p.patient_id = r.patient_id
inner join no_medication(['gene_cell_therapy'], null, 'any') as n on p.patient_id = n.patient_id
