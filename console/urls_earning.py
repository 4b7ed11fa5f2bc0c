"""Addresses of the console's pages on purchases, earning rules and campaigns."""

from django.urls import URLPattern, path

from console.views import campaigns, earning, purchases

urlpatterns: list[URLPattern] = [
    path("purchases/", purchases.index, name="purchases"),
    path("purchases/<int:purchase_id>/", purchases.show, name="purchase"),
    path("purchases/<int:purchase_id>/refund/", purchases.refund, name="refund_lines"),
    path("earning/", earning.index, name="earning_rules"),
    path("earning/new/", earning.create, name="create_earning_rule"),
    path("earning/sentence/", earning.sentence, name="earning_sentence"),
    path("earning/<int:rule_id>/", earning.show, name="earning_rule"),
    path("earning/<int:rule_id>/edit/", earning.edit, name="edit_earning_rule"),
    path("earning/<int:rule_id>/activate/", earning.activate, name="activate_earning_rule"),
    path("earning/<int:rule_id>/pause/", earning.pause, name="pause_earning_rule"),
    path("earning/<int:rule_id>/end/", earning.end, name="end_earning_rule"),
    path("earning/<int:rule_id>/delete/", earning.delete, name="delete_earning_rule"),
    path("earning/<int:rule_id>/simulate/", earning.simulate, name="simulate_earning_rule"),
    path("campaigns/", campaigns.index, name="campaigns"),
    path("campaigns/new/", campaigns.create, name="create_campaign"),
    path("campaigns/<int:campaign_id>/", campaigns.show, name="campaign"),
    path("campaigns/<int:campaign_id>/edit/", campaigns.edit, name="edit_campaign"),
    path("campaigns/<int:campaign_id>/activate/", campaigns.activate, name="activate_campaign"),
    path("campaigns/<int:campaign_id>/pause/", campaigns.pause, name="pause_campaign"),
    path("campaigns/<int:campaign_id>/end/", campaigns.end, name="end_campaign"),
    path("campaigns/<int:campaign_id>/delete/", campaigns.delete, name="delete_campaign"),
    path("campaigns/<int:campaign_id>/simulate/", campaigns.simulate, name="simulate_campaign"),
]
