-- Credit (kind 1) or correct upwards (5): one new lot. A debt is paid first, which the entry shows
-- as a second change of the same lot.
CREATE FUNCTION points_earn(
    p_brand text, p_kind integer, p_wallet integer, p_owner bigint, p_amount bigint, p_key uuid,
    p_at timestamptz, p_earned_on date, p_source_type text, p_source_id bigint, p_cause jsonb,
    p_available_at timestamptz, p_expires_on date,
    OUT o_outcome text, OUT o_account bigint, OUT o_seq bigint, OUT o_balance bigint,
    OUT o_delta bigint, OUT o_shortfall bigint, OUT o_detail bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_wallet record;
    v_first record;
    v_available_at timestamptz := p_available_at;
    v_expires_on date := p_expires_on;
    v_waits boolean;
    v_left bigint;
    v_day bigint;
BEGIN
    SELECT pending_days, points_expires_on(expiry_policy, expiry_months, p_earned_on) AS expires_on
    INTO v_wallet
    FROM members_wallet
    WHERE id = p_wallet AND p_brand = current_schema()
      AND EXISTS (SELECT FROM audit_brandidentity WHERE schema_name = p_brand);
    IF NOT FOUND THEN
        o_outcome := CASE WHEN points_is_home(p_brand) THEN 'account_missing' ELSE 'wrong_schema' END;
        RETURN;
    END IF;
    v_expires_on := coalesce(p_expires_on, v_wallet.expires_on);
    IF p_available_at IS NULL AND v_wallet.pending_days > 0 THEN
        v_available_at := p_at + make_interval(days => v_wallet.pending_days);
    END IF;
    v_waits := coalesce(v_available_at > p_at, false);

    UPDATE members_account
    SET balance = balance + p_amount, seq = seq + 1,
        pending = pending
            + CASE WHEN v_waits THEN p_amount - least(p_amount, greatest(-balance, 0)) ELSE 0 END,
        first_open_on = least(first_open_on, v_expires_on),
        first_open_seq = CASE WHEN v_expires_on < first_open_on THEN seq + 1 ELSE first_open_seq END
    WHERE owner_id = p_owner AND wallet_id = p_wallet
    RETURNING id, seq, balance INTO o_account, o_seq, o_balance;
    IF NOT FOUND THEN
        o_outcome := 'account_missing';
        RETURN;
    END IF;
    v_left := p_amount - least(p_amount, greatest(p_amount - o_balance, 0));

    SELECT e.account_id, e.seq, e.kind, e.delta, e.balance_after INTO v_first
    FROM members_entry e WHERE e.key = p_key;
    IF FOUND THEN
        UPDATE members_account
        SET balance = balance - p_amount, seq = seq - 1,
            pending = pending - CASE WHEN v_waits THEN v_left ELSE 0 END
        WHERE id = o_account;
        o_outcome := CASE
            WHEN (v_first.account_id, v_first.kind, v_first.delta) = (o_account, p_kind, p_amount)
            THEN 'replayed' ELSE 'key_reused' END;
        o_seq := v_first.seq;
        o_balance := v_first.balance_after;
        o_delta := v_first.delta;
        RETURN;
    END IF;

    INSERT INTO members_lot (account_id, expires_on, seq, earned, remaining, available_at, is_pending)
    VALUES (o_account, v_expires_on, o_seq, p_amount, v_left, v_available_at, v_waits AND v_left > 0);
    v_day := v_expires_on - DATE '2000-01-01';
    INSERT INTO members_entry (account_id, seq, kind, delta, balance_after, key, lots, source_type,
                               source_id, cause, at)
    VALUES (o_account, o_seq, p_kind, p_amount, o_balance, p_key,
            CASE WHEN v_left = p_amount THEN ARRAY[v_day, o_seq, p_amount]
                 ELSE ARRAY[v_day, o_seq, p_amount, v_day, o_seq, v_left - p_amount] END,
            p_source_type, p_source_id, p_cause, p_at);
    o_outcome := 'posted';
    o_delta := p_amount;
END
$$;
