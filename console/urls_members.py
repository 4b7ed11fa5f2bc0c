"""Addresses of the console's pages on members, tiers, segments and set-up."""

from django.urls import URLPattern, path

from console.views import (
    audit,
    integrations,
    jobs,
    member,
    member_actions,
    members,
    segments,
    staff,
    tiers,
)

urlpatterns: list[URLPattern] = [
    path("members/", members.index, name="members"),
    path("members/new/", members.enrol, name="enrol"),
    path("members/<str:number>/", member.show, name="member"),
    path("members/<str:number>/edit/", member_actions.edit, name="edit_member"),
    path("members/<str:number>/block/", member_actions.block, name="block_member"),
    path("members/<str:number>/unblock/", member_actions.unblock, name="unblock_member"),
    path("members/<str:number>/points/", member_actions.adjust_points, name="adjust_points"),
    path("members/<str:number>/refund/", member_actions.refund_purchase, name="refund_purchase"),
    path("members/<str:number>/give/", member_actions.give_benefit, name="give_benefit"),
    path(
        "members/<str:number>/grants/<int:grant_id>/revoke/",
        member_actions.revoke_grant,
        name="revoke_grant",
    ),
    path("tiers/", tiers.index, name="tiers"),
    path("tiers/new/", tiers.create, name="create_scheme"),
    path("tiers/v<int:version>/", tiers.show_version, name="tier_version"),
    path("tiers/v<int:version>/publish/", tiers.publish, name="publish_scheme"),
    path("tiers/v<int:version>/delete/", tiers.delete_draft, name="delete_scheme"),
    path("segments/", segments.index, name="segments"),
    path("jobs/", jobs.index, name="jobs"),
    path("staff/", staff.index, name="staff"),
    path("integrations/", integrations.index, name="integrations"),
    path("audit/", audit.index, name="audit"),
]
