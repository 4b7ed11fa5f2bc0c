-- Write a purchase, its place in the member's day, and its lines; return its key. Null when the id
-- is taken or the member was erased, and then nothing is written.
-- A function, so that the plans of its statements are kept: planning them anew took longer than
-- running them.
CREATE OR REPLACE FUNCTION activity_add_purchase(
    p_external_id text, p_member bigint, p_occurred_at timestamptz, p_local_date date,
    p_amount bigint, p_currency text, p_channel text, p_store_code text, p_associate text,
    p_digest bytea, p_lines jsonb
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_purchase bigint;
BEGIN
    -- The member's row is held while it is judged: an erasure comes before the purchase or after.
    PERFORM FROM members_member WHERE id = p_member AND status <> 'erased' FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO members_purchase (external_id, member_id, occurred_at, local_date, amount_minor,
        currency, channel, store_code, associate, digest)
    VALUES (p_external_id, p_member, p_occurred_at, p_local_date, p_amount, p_currency, p_channel,
        p_store_code, p_associate, p_digest)
    ON CONFLICT (external_id) DO NOTHING
    RETURNING id INTO v_purchase;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO members_memberday (member_id, on_date, orders, spend_minor)
    VALUES (p_member, p_local_date, 1, p_amount)
    ON CONFLICT (member_id, on_date) DO UPDATE
        SET orders = members_memberday.orders + 1,
            spend_minor = members_memberday.spend_minor + EXCLUDED.spend_minor;
    IF p_lines IS NOT NULL THEN
        INSERT INTO members_purchaseline (purchase_id, position, sku, category, quantity,
            amount_minor, cost_minor)
        SELECT v_purchase, l.position, l.sku, l.category, l.quantity, l.amount, l.cost
        FROM ROWS FROM (jsonb_to_recordset(p_lines)
                AS (sku text, category text, quantity int, amount bigint, cost bigint))
            WITH ORDINALITY AS l (sku, category, quantity, amount, cost, position);
    END IF;
    RETURN v_purchase;
END
$$;
