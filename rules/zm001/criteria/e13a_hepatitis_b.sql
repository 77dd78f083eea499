-- title:    Active hepatitis B
-- title_zh: 活动性乙型肝炎
-- kind:     exclusion
-- reading:  HBsAg or HBcAb positive with HBV DNA above detection excludes; an HBsAg carrier below detection needs 28 days of antiviral treatment; latest of each within P:virology_days.
-- reading_zh: 各取P:virology_days内最近一次结果：HBsAg或HBcAb阳性且HBV DNA高于检测下限者，排除；HBsAg阳性而HBV DNA低于检测下限者，须已抗病毒治疗满28天。
-- caveats:  IVIG passes on HBcAb; HBcAb alone excludes nothing while DNA is below detection.
-- caveats_zh: 输注IVIG可带入HBcAb；HBV DNA低于检测下限时，单纯HBcAb阳性不构成排除。
-- sources:  analytes hbsag, hbcab, hbv_dna within P:virology_days; class hbv_antiviral ever
-- judged:   An equivocal HBsAg or HBcAb; HBV DNA above detection while both are negative; whether antiviral treatment and its monitoring go on during the study.
-- judged_zh: HBsAg或HBcAb结果可疑；二者均阴性而HBV DNA高于检测下限；研究期间是否持续抗病毒治疗并按要求监测。
-- on_fail:  changeable
with tests as (
    select
        p.patient_id,
        p.as_of,
        s.latest as hbsag,
        c.latest as hbcab,
        d.latest as dna,
        s.nothing as no_hbsag,
        c.nothing as no_hbcab,
        d.nothing as no_dna,
        coalesce(s.latest.serology = 'positive' or c.latest.serology = 'positive', false) as is_marked
    from norm.patients as p
    inner join latest_result('hbsag', param('virology_days')) as s on p.patient_id = s.patient_id
    inner join latest_result('hbcab', param('virology_days')) as c on p.patient_id = c.patient_id
    inner join latest_result('hbv_dna', param('virology_days')) as d on p.patient_id = d.patient_id
),

told as (
    select
        *,
        flatten(list_transform(list_filter([hbsag, hbcab, dna], lambda r: r is not null), lambda r: said_result(r))) as reason,
        flatten(list_transform(
            list_filter([hbsag, hbcab, dna], lambda r: r.serology = 'positive' or r.viral_load is not null), lambda r: cited(r)
        )) as results
    from tests
)

select
    t.patient_id,
    case
        when is_marked and dna.viral_load = 'above' then failed(reason, results, 'changeable')
        when is_marked and dna is null then undecided(no_dna.reason_code, reason || no_dna.reason, no_dna.evidence)
        when is_marked and hbsag.serology = 'positive'
            then case
                when a.first_date is null and n.nothing.verdict = 'unknown' then n.nothing
                when a.first_date is null then failed(reason || n.nothing.reason, results, 'changeable')
                when t.as_of - a.first_date + 1 >= 28
                    then passed(reason || say('drug.chain', '@class.hbv_antiviral', a.first_date), results || a.evidence)
                else failed(
                    reason || say('drug.chain', '@class.hbv_antiviral', a.first_date),
                    results || a.evidence,
                    'timed',
                    a.first_date + 27
                )
            end
        when is_marked and hbsag.serology = 'negative' then passed(reason, results || cited(hbsag))
        when is_marked and hbsag.serology = 'equivocal' then to_review('needs_attribution', reason, cited(hbsag))
        when is_marked then no_hbsag
        when dna.viral_load = 'above' then to_review('conflicting_data', reason, cited(dna))
        when hbsag.serology = 'equivocal' and hbcab.serology = 'equivocal'
            then to_review('needs_attribution', reason, cited(hbsag) || cited(hbcab))
        when hbsag.serology = 'equivocal' then to_review('needs_attribution', reason, cited(hbsag))
        when hbcab.serology = 'equivocal' then to_review('needs_attribution', reason, cited(hbcab))
        when hbsag is not null and hbcab is not null then passed(reason, cited(hbsag) || cited(hbcab))
        when hbsag is null and hbcab is null then settle([no_hbsag, no_hbcab])
        when hbsag is null then no_hbsag
        else no_hbcab
    end as outcome
from told as t
left join chain_of_use('hbv_antiviral') as a on t.patient_id = a.patient_id
inner join no_medication(['hbv_antiviral'], to_days(0), 'systemic') as n on t.patient_id = n.patient_id
