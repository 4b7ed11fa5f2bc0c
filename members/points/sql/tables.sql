-- Room on each page, so that a changed row stays there and no index is touched.
ALTER TABLE members_account SET (fillfactor = 70);
ALTER TABLE members_lot SET (fillfactor = 75);

-- Accounts, lots and holds change but never go: entries name them without a foreign key.
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON members_account
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON members_lot
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON members_hold
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

-- Only a wallet's own rule lets a balance fall below zero. The condition is tested without a call,
-- so that other postings pay nothing. Taking back the effect of a replayed posting lowers `seq`.
CREATE FUNCTION points_refuse_debt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM members_wallet WHERE id = NEW.wallet_id AND may_go_negative) THEN
        RAISE EXCEPTION 'account %: the wallet allows no debt', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'account_debt_by_rule';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER account_debt_by_rule BEFORE UPDATE ON members_account FOR EACH ROW
    WHEN (NEW.balance < 0 AND NEW.balance < OLD.balance AND NEW.seq > OLD.seq)
    EXECUTE FUNCTION points_refuse_debt();
