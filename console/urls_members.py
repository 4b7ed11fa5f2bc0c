"""Addresses of the console's pages on members, tiers, segments and set-up."""

from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter

from console.views import (
    attributes,
    audit,
    integrations,
    jobs,
    member,
    member_actions,
    member_data,
    members,
    segments,
    staff,
    tiers,
    webhooks,
)


class Switch(StringConverter):
    """One of two or three things that a button does."""

    regex = "give|withdraw|up|down|retire|restore|delete|start|stop"


register_converter(Switch, "switch")

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
    path("members/<str:number>/attributes/", member_data.edit_attributes, name="edit_attributes"),
    path("members/<str:number>/tags/", member_data.add_tags, name="add_tags"),
    path("members/<str:number>/tags/remove/", member_data.remove_tag, name="remove_tag"),
    path(
        "members/<str:number>/consents/<str:purpose>/<switch:verb>/",
        member_data.set_consent,
        name="set_consent",
    ),
    path("members/<str:number>/data/", member_data.export, name="export_member"),
    path("members/<str:number>/erase/", member_data.erase, name="erase_member"),
    path("members/<str:number>/erase/refuse/", member_data.refuse_erasure, name="refuse_erasure"),
    path("member-data/", attributes.index, name="attributes"),
    path("member-data/attributes/new/", attributes.define, name="define_attribute"),
    path("member-data/attributes/<str:code>/", attributes.change, name="change_attribute"),
    path(
        "member-data/attributes/<str:code>/move/<switch:way>/",
        attributes.move,
        name="move_attribute",
    ),
    path("member-data/attributes/<str:code>/<switch:verb>/", attributes.end, name="end_attribute"),
    path("member-data/consents/new/", attributes.define_purpose, name="define_purpose"),
    path("member-data/consents/<str:code>/", attributes.change_purpose, name="change_purpose"),
    path(
        "member-data/consents/<str:code>/<switch:verb>/",
        attributes.switch_purpose,
        name="switch_purpose",
    ),
    path("tiers/", tiers.index, name="tiers"),
    path("tiers/new/", tiers.create, name="create_scheme"),
    path("tiers/v<int:version>/", tiers.show_version, name="tier_version"),
    path("tiers/v<int:version>/publish/", tiers.publish, name="publish_scheme"),
    path("tiers/v<int:version>/delete/", tiers.delete_draft, name="delete_scheme"),
    path("segments/", segments.index, name="segments"),
    path("segments/new/", segments.create, name="create_segment"),
    path("segments/condition/", segments.rows, name="segment_rows"),
    path("segments/<int:segment_id>/", segments.show, name="segment"),
    path("segments/<int:segment_id>/changes/<str:day>/", segments.changes, name="segment_changes"),
    path("segments/<int:segment_id>/edit/", segments.edit, name="edit_segment"),
    path("segments/<int:segment_id>/delete/", segments.delete, name="delete_segment"),
    path("jobs/", jobs.index, name="jobs"),
    path("jobs/run/<str:kind>/", jobs.run_now, name="run_job"),
    path("jobs/<int:job_id>/", jobs.show, name="job"),
    path("jobs/<int:job_id>/progress/", jobs.progress, name="job_progress"),
    path("jobs/<int:job_id>/cancel/", jobs.cancel, name="cancel_job"),
    path("staff/", staff.index, name="staff"),
    path("staff/invite/", staff.invite, name="invite_staff"),
    path("staff/<int:staff_id>/role/", staff.change_role, name="change_role"),
    path("staff/<int:staff_id>/deactivate/", staff.deactivate, name="deactivate_staff"),
    path("integrations/", integrations.index, name="integrations"),
    path("integrations/keys/new/", integrations.create_key, name="create_key"),
    path("integrations/keys/<int:key_id>/revoke/", integrations.revoke_key, name="revoke_key"),
    path("integrations/webhooks/new/", webhooks.create, name="create_webhook"),
    path("integrations/webhooks/<int:endpoint_id>/", webhooks.show, name="webhook"),
    path("integrations/webhooks/<int:endpoint_id>/edit/", webhooks.edit, name="edit_webhook"),
    path("integrations/webhooks/<int:endpoint_id>/secret/", webhooks.rotate, name="rotate_secret"),
    path("integrations/webhooks/<int:endpoint_id>/test/", webhooks.test, name="test_webhook"),
    path("integrations/webhooks/<int:endpoint_id>/on/", webhooks.enable, name="enable_webhook"),
    path("integrations/webhooks/<int:endpoint_id>/off/", webhooks.disable, name="disable_webhook"),
    path("integrations/webhooks/<int:endpoint_id>/delete/", webhooks.delete, name="delete_webhook"),
    path("integrations/deliveries/<int:delivery_id>/replay/", webhooks.replay, name="replay"),
    path("audit/", audit.index, name="audit"),
    path("audit/verify/", audit.verify, name="verify_audit"),
]
