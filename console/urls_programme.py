"""Addresses of the console's pages on benefits, rules, mall and partners."""

from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter

from console.views import (
    appointments,
    benefit_amounts,
    benefit_forms,
    benefit_stock,
    benefits,
    code_pools,
    draws,
    mall,
    mall_forms,
    mall_items,
    mall_payments,
    orders,
    packages,
    partner_forms,
    partner_systems,
    partners,
    redemptions,
    rule_checks,
    rule_forms,
    rules,
)


class AmountKind(StringConverter):
    """What changes over time: what a unit costs, or what it is worth."""

    regex = "cost|price"


class StockWay(StringConverter):
    """Into the stock or out of it."""

    regex = "in|out"


class DrawWay(StringConverter):
    """What can be done with a draw."""

    regex = "open|pause|end"


class SwitchWay(StringConverter):
    """On or off."""

    regex = "on|off"


register_converter(AmountKind, "amount_kind")
register_converter(StockWay, "stock_way")
register_converter(DrawWay, "draw_way")
register_converter(SwitchWay, "switch_way")

urlpatterns: list[URLPattern] = [
    path("benefits/", benefits.index, name="benefits"),
    path("benefits/packages/", packages.index, name="packages"),
    path("benefits/packages/new/", packages.create, name="create_package"),
    path("benefits/packages/rows/", packages.rows, name="package_rows"),
    path("benefits/packages/p/<slug:code>/", packages.show, name="package"),
    path("benefits/packages/p/<slug:code>/edit/", packages.edit, name="edit_package"),
    path(
        "benefits/packages/p/<slug:code>/<switch_way:way>/",
        packages.switch,
        name="switch_package",
    ),
    path("benefits/new/<slug:kind>/", benefit_forms.create, name="create_benefit"),
    path("benefits/b/<slug:code>/", benefits.show, name="benefit"),
    path("benefits/b/<slug:code>/edit/", benefit_forms.edit, name="edit_benefit"),
    path("benefits/b/<slug:code>/stage/", benefit_forms.move, name="move_benefit"),
    path(
        "benefits/b/<slug:code>/<amount_kind:what>/new/",
        benefit_amounts.set_amount,
        name="set_amount",
    ),
    path(
        "benefits/b/<slug:code>/<amount_kind:what>/<slug:day>/end/",
        benefit_amounts.close_amount,
        name="close_amount",
    ),
    path(
        "benefits/b/<slug:code>/<amount_kind:what>/<slug:day>/call-off/",
        benefit_amounts.call_off,
        name="call_off_amount",
    ),
    path(
        "benefits/b/<slug:code>/stock/<stock_way:way>/",
        benefit_stock.change,
        name="change_benefit_stock",
    ),
    path("benefits/b/<slug:code>/calendars/new/", appointments.create, name="create_calendar"),
    path(
        "benefits/b/<slug:code>/calendars/<int:calendar_id>/",
        appointments.edit,
        name="edit_calendar",
    ),
    path(
        "benefits/b/<slug:code>/calendars/<int:calendar_id>/close/",
        appointments.close_day,
        name="close_calendar_day",
    ),
    path(
        "benefits/b/<slug:code>/calendars/<int:calendar_id>/open/<slug:day>/",
        appointments.open_day,
        name="open_calendar_day",
    ),
    path("rules/", rules.index, name="rules"),
    path("rules/new/", rule_forms.create, name="create_rule"),
    path("rules/condition/", rule_forms.rows, name="condition_rows"),
    path("rules/r/<slug:code>/", rules.show, name="rule"),
    path("rules/r/<slug:code>/edit/", rule_forms.edit, name="edit_rule"),
    path("rules/r/<slug:code>/publish/", rules.publish, name="publish_rule"),
    path("rules/r/<slug:code>/pause/", rules.pause, name="pause_rule"),
    path("rules/r/<slug:code>/end/", rule_checks.end, name="end_rule"),
    path("rules/r/<slug:code>/check/", rule_checks.check, name="check_rule"),
    path("rules/r/<slug:code>/try/", rule_checks.try_member, name="try_rule"),
    path("rules/r/<slug:code>/versions/", rule_checks.versions, name="rule_versions"),
    path("mall/", mall.index, name="mall"),
    path("mall/new/<slug:kind>/", mall_forms.create, name="create_item"),
    path("mall/items/<slug:code>/", mall_forms.edit, name="edit_item"),
    path("mall/preview/", mall_items.preview, name="mall_preview"),
    path("mall/i/<slug:code>/", mall_items.show, name="mall_item"),
    path("mall/i/<slug:code>/stock/<stock_way:way>/", mall_items.change_stock, name="change_stock"),
    path("mall/i/<slug:code>/audience/", mall_items.audience, name="item_audience"),
    path("mall/i/<slug:code>/variants/", mall_items.add_variant, name="add_variant"),
    path(
        "mall/i/<slug:code>/variants/<slug:variant>/",
        mall_items.edit_variant,
        name="edit_variant",
    ),
    path("mall/pools/", code_pools.index, name="code_pools"),
    path("mall/pools/new/", code_pools.create, name="create_code_pool"),
    path("mall/pools/p/<slug:code>/", code_pools.show, name="code_pool"),
    path("mall/pools/p/<slug:code>/import/", code_pools.import_file, name="import_codes"),
    path("mall/pools/p/<slug:code>/mark/", code_pools.set_mark, name="set_pool_mark"),
    path("mall/draws/", draws.index, name="draws"),
    path("mall/draws/new/", draws.create, name="create_draw"),
    path("mall/draws/d/<slug:code>/", draws.show, name="draw"),
    path("mall/draws/d/<slug:code>/edit/", draws.edit, name="edit_draw"),
    path("mall/draws/d/<slug:code>/prizes/", draws.prizes, name="draw_prizes"),
    path("mall/draws/d/<slug:code>/verify/", draws.verify, name="verify_draw"),
    path("mall/draws/d/<slug:code>/<draw_way:way>/", draws.move, name="move_draw"),
    path(
        "mall/payments/<slug:provider>/<switch_way:way>/",
        mall_payments.switch_way,
        name="switch_payment_way",
    ),
    path(
        "mall/payments/<int:payment_id>/refund/",
        mall_payments.record_refund,
        name="record_cash_refund",
    ),
    path("mall/items/<slug:code>/<slug:status>/", mall.set_status, name="set_item_status"),
    path("mall/orders/", mall.orders, name="mall_orders"),
    path("mall/orders/<slug:number>/", mall.order, name="mall_order"),
    path("mall/orders/<slug:number>/paid/", mall_payments.record_payment, name="record_cash"),
    path("mall/orders/<slug:number>/confirm/", mall.confirm, name="confirm_mall_order"),
    path("mall/orders/<slug:number>/ship/", mall.ship, name="ship_mall_order"),
    path("mall/orders/<slug:number>/complete/", mall.complete, name="complete_mall_order"),
    path("mall/orders/<slug:number>/cancel/", mall.cancel, name="cancel_mall_order"),
    path("redemptions/", redemptions.index, name="redemptions"),
    path("redemptions/<int:redemption_id>/", redemptions.show, name="redemption"),
    path(
        "redemptions/<int:redemption_id>/confirm/", redemptions.confirm, name="confirm_redemption"
    ),
    path("redemptions/<int:redemption_id>/fulfil/", redemptions.fulfil, name="fulfil_redemption"),
    path("redemptions/<int:redemption_id>/cancel/", redemptions.cancel, name="cancel_redemption"),
    path("redemptions/<int:redemption_id>/move/", appointments.move, name="move_appointment"),
    path("orders/", orders.index, name="orders"),
    path("orders/all/", orders.listing, name="order_list"),
    path("orders/preview/", orders.preview, name="dispatch_preview"),
    path("orders/o/<slug:number>/", orders.show, name="order"),
    path("orders/o/<slug:number>/redispatch/", orders.redispatch, name="redispatch"),
    path("orders/o/<slug:number>/cancel/", orders.cancel, name="cancel_order"),
    path("orders/o/<slug:number>/fail/", orders.fail, name="fail_order"),
    path("orders/o/<slug:number>/fulfil/", orders.fulfil, name="fulfil_order"),
    path("orders/o/<slug:number>/dispute/", orders.dispute, name="dispute_order"),
    path("orders/o/<slug:number>/back/", orders.hand_back, name="hand_back_order"),
    path("orders/o/<slug:number>/resolve/<slug:verdict>/", orders.resolve, name="resolve_order"),
    path("partners/", partners.index, name="partners"),
    path("partners/new/", partner_forms.invite, name="invite_partner"),
    path("partners/p/<slug:code>/", partners.show, name="partner"),
    path("partners/p/<slug:code>/edit/", partner_forms.edit, name="edit_partner"),
    path("partners/p/<slug:code>/activate/", partners.activate, name="activate_partner"),
    path("partners/p/<slug:code>/sandbox/", partners.open_sandbox, name="partner_sandbox"),
    path("partners/p/<slug:code>/stop/<slug:how>/", partner_forms.stop, name="stop_partner"),
    path("partners/p/<slug:code>/offerings/", partner_forms.add_offering, name="add_offering"),
    path("partners/p/<slug:code>/keys/", partner_forms.create_key, name="create_partner_key"),
    path(
        "partners/p/<slug:code>/keys/<int:key_id>/revoke/",
        partners.revoke_key,
        name="revoke_partner_key",
    ),
    path("partners/p/<slug:code>/system/", partner_systems.show, name="partner_system"),
    path("partners/p/<slug:code>/system/edit/", partner_systems.edit, name="edit_partner_system"),
    path(
        "partners/p/<slug:code>/system/secret/",
        partner_systems.rotate,
        name="rotate_partner_system",
    ),
    path(
        "partners/p/<slug:code>/system/switch/<slug:how>/",
        partner_systems.switch,
        name="switch_partner_system",
    ),
    path("offerings/<int:offering_id>/", partner_forms.edit_offering, name="edit_offering"),
    path(
        "offerings/<int:offering_id>/days/<slug:day>/", partner_forms.set_day, name="set_capacity"
    ),
    path(
        "offerings/<int:offering_id>/<slug:status>/",
        partner_forms.offering_status,
        name="offering_status",
    ),
]
