-- Capture (p_kind 7) or release (8) a hold, named by its entry's key or by account and number.
-- Lock order: account, lots, hold.
CREATE OR REPLACE FUNCTION points_end_hold(
    p_brand text, p_kind integer, p_hold_key uuid, p_hold_account bigint, p_hold_seq bigint,
    p_key uuid, p_at timestamptz, p_today date, p_source_type text, p_source_id bigint,
    OUT o_outcome text, OUT o_account bigint, OUT o_seq bigint, OUT o_balance bigint,
    OUT o_delta bigint, OUT o_shortfall bigint, OUT o_detail bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_entry members_entry;
    v_account record;
    v_hold record;
    v_first record;
    v_lots bigint[];
BEGIN
    IF NOT points_is_home(p_brand) THEN
        o_outcome := 'wrong_schema';
        RETURN;
    END IF;
    v_entry := points_find_entry(p_hold_key, p_hold_account, p_hold_seq);
    IF v_entry.kind IS DISTINCT FROM 6 THEN
        o_outcome := 'entry_missing';
        RETURN;
    END IF;
    SELECT a.id, a.seq, a.balance, a.owed, w.restore_grace_days INTO v_account
    FROM members_account a JOIN members_wallet w ON w.id = a.wallet_id
    WHERE a.id = v_entry.account_id FOR UPDATE OF a;

    SELECT e.account_id, e.seq, e.kind, e.delta, e.balance_after, e.ref_seq INTO v_first
    FROM members_entry e WHERE e.key = p_key;
    IF FOUND THEN
        o_outcome := CASE
            WHEN (v_first.account_id, v_first.kind, v_first.ref_seq)
               = (v_entry.account_id, p_kind, v_entry.seq)
            THEN 'replayed' ELSE 'key_reused' END;
        o_account := v_first.account_id;
        o_seq := v_first.seq;
        o_balance := v_first.balance_after;
        o_delta := v_first.delta;
        RETURN;
    END IF;

    SELECT h.amount, h.state, h.until INTO v_hold
    FROM members_hold h WHERE h.account_id = v_entry.account_id AND h.seq = v_entry.seq;
    IF v_hold.state <> 1 OR p_kind = 7 AND v_hold.until <= p_at THEN
        o_outcome := 'hold_not_open';
        o_detail := v_hold.state;
        RETURN;
    END IF;

    o_account := v_entry.account_id;
    o_seq := v_account.seq + 1;
    IF p_kind = 7 THEN
        o_delta := 0;
        v_lots := v_entry.lots;
    ELSE
        o_delta := v_hold.amount;
        v_lots := points_give_back(o_account, v_entry.lots, 0, v_hold.amount,
            greatest(-v_account.balance, 0), o_seq, p_at, p_today, v_account.restore_grace_days);
    END IF;
    UPDATE members_account
    SET balance = balance + o_delta, held = held - v_hold.amount, seq = o_seq
    WHERE id = o_account RETURNING balance INTO o_balance;
    UPDATE members_hold SET state = CASE p_kind WHEN 7 THEN 2 ELSE 3 END
    WHERE account_id = o_account AND seq = v_entry.seq;
    INSERT INTO members_entry (account_id, seq, kind, delta, balance_after, key, ref_seq, lots,
                               source_type, source_id, at)
    VALUES (o_account, o_seq, p_kind, o_delta, o_balance, p_key, v_entry.seq, v_lots,
            p_source_type, p_source_id, p_at);
    IF p_kind = 8 AND v_account.owed > 0 THEN
        PERFORM points_recover(o_account, points_take(o_account, least(v_account.owed, o_delta),
            p_at, p_today, p_today, 0, false, true), o_seq, p_at);
    END IF;
    o_outcome := 'posted';
    o_detail := v_hold.amount;
END
$$;
