"""Consents are proof: the database refuses to change them. The purposes that brands begin with."""

import json

from django.db import migrations

from tenants.brands.append_only import append_only

PURPOSES = (
    (
        "email",
        {"en": "News by e-mail", "zh-hans": "邮件通知", "zh-hant": "電郵通知"},
        {
            "en": "Send me news and offers by e-mail. I can withdraw this at any time.",
            "zh-hans": "同意通过电子邮件接收资讯和优惠，可随时撤回。",
            "zh-hant": "同意透過電子郵件接收資訊和優惠，可隨時撤回。",
        },
    ),
    (
        "sms",
        {"en": "News by text message", "zh-hans": "短信通知", "zh-hant": "簡訊通知"},
        {
            "en": "Send me news and offers by text message. I can withdraw this at any time.",
            "zh-hans": "同意通过短信接收资讯和优惠，可随时撤回。",
            "zh-hant": "同意透過簡訊接收資訊和優惠，可隨時撤回。",
        },
    ),
    (
        "profiling",
        {"en": "Offers made for me", "zh-hans": "个性化推荐", "zh-hant": "個人化推薦"},
        {
            "en": (
                "Choose offers for me from what I buy and use. I can withdraw this at any time."
            ),
            "zh-hans": "同意根据我的消费和使用情况为我挑选优惠，可随时撤回。",
            "zh-hant": "同意根據我的消費和使用情況為我挑選優惠，可隨時撤回。",
        },
    ),
)
_PURPOSE = """
    WITH purpose AS (
        INSERT INTO members_consentpurpose (code, label, position, is_active)
        VALUES (%s, %s::jsonb, %s, true) ON CONFLICT (code) DO NOTHING RETURNING id
    )
    INSERT INTO members_consenttext (purpose_id, version, text, published_at, published_by)
    SELECT id, 1, %s::jsonb, '2026-01-01T00:00:00Z', 'system' FROM purpose
"""


class Migration(migrations.Migration):
    dependencies = [("members", "0007_consents_erasures_claims")]

    operations = [
        append_only("members_consenttext"),
        append_only("members_consentchange"),
        migrations.RunSQL(
            sql=[
                (_PURPOSE, [code, json.dumps(label), number, json.dumps(text)])
                for number, (code, label, text) in enumerate(PURPOSES, 1)
            ],
            reverse_sql=migrations.RunSQL.noop,
        ),
    ]
