-- What is in force for a member's purchase: the mark of the live rules and campaigns, and the
-- greatest boost of the member's own. The mark is made of the rows' places and of the transactions
-- that wrote them, so that any change gives another, and one that was rolled back never returns.
CREATE OR REPLACE FUNCTION earning_in_force(
    p_member bigint, p_moment timestamptz, OUT o_mark text, OUT o_boost_bp integer
) LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT concat(
        (SELECT string_agg(concat(xmin, ctid), '' ORDER BY id) FROM members_earningrule
         WHERE status = 'active'), '/',
        (SELECT string_agg(concat(xmin, ctid), '' ORDER BY id) FROM members_campaign
         WHERE status = 'active'))
    INTO o_mark;
    SELECT max(multiplier_bp) INTO o_boost_bp FROM members_earningboost
    WHERE member_id = p_member AND starts_at <= p_moment AND ends_at > p_moment;
END
$$;

-- Credit what the rules give for a purchase, in their order, and keep the decisions. Each item has
-- rule, wallet, amount, raw, base, eligible, tier, campaign, campaigns, capped, pending. What comes
-- in may be less than the amounts where a cap of the wallet cuts it off. The first refusal is
-- returned as the outcome: then the caller rolls back.
CREATE OR REPLACE FUNCTION earning_credit(
    p_brand text, p_purchase bigint, p_member bigint, p_at timestamptz, p_on date, p_items jsonb,
    OUT o_outcome text, OUT o_detail bigint, OUT o_points bigint, OUT o_growth bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_item record;
    v_posting record;
BEGIN
    o_points := 0;
    o_growth := 0;
    FOR v_item IN
        SELECT * FROM jsonb_to_recordset(p_items)
            AS item (rule bigint, wallet text, amount bigint, pending integer)
        WHERE amount > 0
    LOOP
        SELECT * INTO v_posting FROM points_earn(
            p_brand, 1, CASE v_item.wallet WHEN 'points' THEN 1 ELSE 2 END, p_member,
            v_item.amount,
            substr(encode(sha256(convert_to('earn:' || p_purchase || ':' || v_item.rule || ':'
                || v_item.wallet, 'UTF8')), 'hex'), 1, 32)::uuid,
            p_at, p_on, 'purchase', p_purchase, jsonb_build_object('rule', v_item.rule),
            p_at + make_interval(hours => 24 * v_item.pending), NULL);
        IF v_posting.o_outcome <> 'posted' THEN
            o_outcome := v_posting.o_outcome;
            o_detail := v_posting.o_detail;
            RETURN;
        END IF;
        IF v_item.wallet = 'points' THEN
            o_points := o_points + v_posting.o_delta;
        ELSE
            o_growth := o_growth + v_posting.o_delta;
        END IF;
    END LOOP;
    INSERT INTO members_earning (purchase_id, rule_id, wallet, member_id, on_date, amount, raw,
        base, eligible_minor, tier_bp, campaign_bp, campaigns, is_capped)
    SELECT p_purchase, rule, wallet, p_member, p_on, amount, raw, base, eligible, tier, campaign,
           campaigns, capped
    FROM jsonb_to_recordset(p_items) AS item (rule bigint, wallet text, amount bigint, raw bigint,
        base bigint, eligible bigint, tier integer, campaign integer, campaigns bigint[],
        capped boolean);
    o_outcome := 'posted';
END
$$;
