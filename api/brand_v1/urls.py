"""Addresses of the brand API v1."""

from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter

from api import webhooks
from api.brand_v1 import (
    appointments,
    benefits,
    budget,
    earning,
    events,
    imports,
    insights,
    jobs,
    mall,
    member_data,
    member_state,
    members,
    merges,
    points,
    programme,
    purchases,
    segments,
    tier_simulations,
    tiers,
)


class HoldVerb(StringConverter):
    """The two ends of a hold."""

    regex = "capture|release"


class RedemptionVerb(StringConverter):
    """The moves of a redemption that a brand's systems make."""

    regex = "confirm|cancel|fulfil"


class DecisionVerb(StringConverter):
    """What becomes of a request for an adjustment."""

    regex = "approve|refuse|withdraw"


class MallOrderVerb(StringConverter):
    """The moves of a mall order that a brand's systems make."""

    regex = "confirm|ship|complete"


register_converter(HoldVerb, "hold_verb")
register_converter(MallOrderVerb, "order_verb")
register_converter(DecisionVerb, "decision_verb")
register_converter(RedemptionVerb, "redemption_verb")
_for = webhooks.for_brand

urlpatterns: list[URLPattern] = [
    path("members", members.MemberList.as_view()),
    path("imports", imports.Imports.as_view()),
    path("imports/<int:import_id>", imports.ImportDetail.as_view()),
    path("imports/<int:import_id>/check", imports.ImportCheck.as_view()),
    path("imports/<int:import_id>/apply", imports.ImportApply.as_view()),
    path("imports/<int:import_id>/problems", imports.ImportProblems.as_view()),
    path("merges", merges.Merges.as_view()),
    path("merges/<int:merge_id>", merges.MergeDetail.as_view()),
    path("merges/<int:merge_id>/undo", merges.MergeUndo.as_view()),
    path("members/<str:external_id>", members.MemberDetail.as_view()),
    path("members/<str:external_id>/tags", member_state.Tags.as_view()),
    path("members/<str:external_id>/tags/<str:tag>", member_state.TagDetail.as_view()),
    path("members/<str:external_id>/block", member_state.BlockState.as_view()),
    path("members/<str:external_id>/unblock", member_state.Unblock.as_view()),
    path("members/<str:external_id>/events", member_state.Activity.as_view()),
    path("tags", member_state.TagList.as_view()),
    path("consents", member_state.Purposes.as_view()),
    path("duplicates", member_state.Duplicates.as_view()),
    path("duplicates/apart", member_state.DuplicatesApart.as_view()),
    path("segments/<int:segment_id>/changes", segments.SegmentChanges.as_view()),
    path("members/<str:external_id>/points", members.Points.as_view()),
    path("members/<str:external_id>/points/entries", members.PointEntries.as_view()),
    path("members/<str:external_id>/points/adjustments", members.Adjustments.as_view()),
    path("members/<str:external_id>/benefits", benefits.MemberBenefits.as_view()),
    path("members/<str:external_id>/points/lots", points.Lots.as_view()),
    path("members/<str:external_id>/points/spend", points.Spend.as_view()),
    path("members/<str:external_id>/points/entries/<int:seq>/reverse", points.Reverse.as_view()),
    path("wallets", points.Wallets.as_view()),
    path("points/transfers", points.Transfers.as_view()),
    path("points/adjustments", points.AdjustmentRequests.as_view()),
    path(
        "points/adjustments/<int:request_id>/<decision_verb:verb>",
        points.AdjustmentDecision.as_view(),
    ),
    path("points/liability", points.LiabilityDays.as_view()),
    path("members/<str:external_id>/consents", member_data.Consents.as_view()),
    path("members/<str:external_id>/consents/<str:purpose>", member_data.ConsentDetail.as_view()),
    path("members/<str:external_id>/export", member_data.Export.as_view()),
    path("members/<str:external_id>/erasure", member_data.ErasureDetail.as_view()),
    path("attributes", member_data.Attributes.as_view()),
    path("points/holds", members.Holds.as_view()),
    path("points/holds/<uuid:hold_id>/<hold_verb:verb>", members.HoldEnd.as_view()),
    path("purchases", purchases.Purchases.as_view()),
    path("purchases/batch", purchases.PurchaseBatch.as_view()),
    path("purchases/<str:external_id>", purchases.PurchaseDetail.as_view()),
    path("members/<str:external_id>/purchases", purchases.MemberPurchases.as_view()),
    path("refunds/batch", purchases.RefundBatch.as_view()),
    path("events/batch", purchases.EventBatch.as_view()),
    path("earning-rules", earning.EarningRules.as_view()),
    path("earning-rules/simulate", earning.RuleSimulation.as_view()),
    path("campaigns", earning.Campaigns.as_view()),
    path("campaigns/simulate", earning.CampaignSimulation.as_view()),
    path("purchases/<str:external_id>/refunds", purchases.Refunds.as_view()),
    path("benefits", programme.Benefits.as_view()),
    path("packages", programme.Packages.as_view()),
    path("rules", programme.Rules.as_view()),
    path("rules/<slug:code>/check", programme.RuleCheck.as_view()),
    path("rules/<slug:code>/test", programme.RuleTest.as_view()),
    path("members/<str:external_id>/grants", programme.MemberGrants.as_view()),
    path("grants/<int:grant_id>/revoke", programme.GrantRevoke.as_view()),
    path("budgets", budget.Budgets.as_view()),
    path("budgets/<int:budget_id>/lines", budget.BudgetLines.as_view()),
    path("budgets/<int:budget_id>/movements", budget.BudgetMovements.as_view()),
    path("budgets/<int:budget_id>/reserve", budget.BudgetReserve.as_view()),
    path("redemptions", benefits.Redemptions.as_view()),
    path("redemptions/shown", appointments.Shown.as_view()),
    path("redemptions/<uuid:redemption_id>/reschedule", appointments.Reschedule.as_view()),
    path("benefits/<slug:code>/slots", appointments.Slots.as_view()),
    path("redemptions/<uuid:redemption_id>", benefits.RedemptionDetail.as_view()),
    path(
        "redemptions/<uuid:redemption_id>/<redemption_verb:verb>",
        benefits.RedemptionStep.as_view(),
    ),
    path("mall/items", mall.MallItems.as_view()),
    path("mall/orders", mall.MallOrders.as_view()),
    path("mall/orders/<uuid:order_id>", mall.MallOrderDetail.as_view()),
    path("mall/orders/<uuid:order_id>/cancel", mall.MallOrderCancel.as_view()),
    path("mall/orders/<uuid:order_id>/payments", mall.MallOrderPayments.as_view()),
    path("mall/orders/<uuid:order_id>/<order_verb:verb>", mall.MallOrderStep.as_view()),
    path("mall/payments/<slug:provider>/notices", mall.PaymentNotices.as_view()),
    path("mall/draws", mall.Draws.as_view()),
    path("mall/draws/<slug:code>/tickets", mall.DrawTickets.as_view()),
    path("mall/draws/tickets/<uuid:ticket_id>", mall.DrawTicketDetail.as_view()),
    path("members/<str:external_id>/scores", segments.MemberScores.as_view()),
    path("segments", segments.Segments.as_view()),
    path("segments/fields", segments.Fields.as_view()),
    path("segments/size", segments.Size.as_view()),
    path("segments/<int:segment_id>", segments.SegmentDetail.as_view()),
    path("segments/<int:segment_id>/size", segments.SegmentSize.as_view()),
    path("segments/<int:segment_id>/members", segments.SegmentMembers.as_view()),
    path("segments/<int:segment_id>/export", segments.SegmentExport.as_view()),
    path("tiers", benefits.Tiers.as_view()),
    path("tiers/plans", tiers.Plans.as_view()),
    path("tiers/schemes", tiers.Schemes.as_view()),
    path("tiers/schemes/<int:version>", tiers.SchemeDetail.as_view()),
    path("tiers/simulations", tier_simulations.Simulations.as_view()),
    path("tiers/simulations/<int:simulation_id>", tier_simulations.SimulationDetail.as_view()),
    path("members/<str:external_id>/tier", tiers.MemberTier.as_view()),
    path("members/<str:external_id>/tier/changes", tiers.MemberTierChanges.as_view()),
    path("members/<str:external_id>/tier/override", tiers.Override.as_view()),
    path("members/<str:external_id>/paid-memberships", tiers.PaidMemberships.as_view()),
    path("paid-memberships/<int:term_id>/refund", tiers.PaidMembershipRefund.as_view()),
    path("paid-memberships/<int:term_id>/renewal", tiers.PaidMembershipRenewal.as_view()),
    path("insights/benefits", insights.BenefitFacts.as_view()),
    path("insights/programme", insights.ProgrammeFacts.as_view()),
    path("insights/measures", insights.Measures.as_view()),
    path("jobs/<int:job_id>", jobs.JobDetail.as_view()),
    path("events", events.Events.as_view()),
    path("webhook-endpoints", _for(webhooks.Endpoints).as_view()),
    path("webhook-endpoints/<int:endpoint_id>", _for(webhooks.EndpointDetail).as_view()),
    path("webhook-endpoints/<int:endpoint_id>/secret", _for(webhooks.EndpointSecret).as_view()),
    path("webhook-endpoints/<int:endpoint_id>/test", _for(webhooks.EndpointTest).as_view()),
    path("webhook-endpoints/<int:endpoint_id>/deliveries", _for(webhooks.Deliveries).as_view()),
    path("webhook-deliveries/<int:delivery_id>/replay", _for(webhooks.DeliveryReplay).as_view()),
]
