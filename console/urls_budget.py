"""Addresses of the console's pages on the budget, its reserve, and what waits for approval."""

from django.urls import URLPattern, path

from console.views import approvals, budget, budget_outlook, budget_plans

urlpatterns: list[URLPattern] = [
    path("approvals/", approvals.index, name="approvals"),
    path("budget/", budget.show, name="budget"),
    path("budget/new/", budget_plans.create, name="create_budget"),
    path("budget/rules/", budget_plans.policy, name="budget_policy"),
    path("budget/<int:budget_id>/entries/", budget.entries, name="budget_entries"),
    path("budget/<int:budget_id>/track/", budget.track, name="track_reserve"),
    path("budget/<int:budget_id>/lines/new/", budget.add_line, name="add_line"),
    path("budget/<int:budget_id>/draws/new/", budget.ask_draw, name="ask_draw"),
    path("budget/<int:budget_id>/close/", budget_plans.close, name="close_budget"),
    path("budget/<int:budget_id>/what-if/", budget_outlook.what_if, name="what_if"),
    path("budget/<int:budget_id>/report/", budget_outlook.report, name="budget_report"),
    path("budget/<int:budget_id>/revisions/", budget_plans.revisions_of, name="plan_revisions"),
    path("budget/<int:budget_id>/import/", budget_plans.import_plan, name="import_plan"),
    path("budget/<int:budget_id>/plan.csv", budget_plans.export_plan, name="export_plan"),
    path("budget/lines/<int:line_id>/plan/", budget_plans.plan, name="plan_line"),
    path("budget/revisions/<int:revision_id>/", budget_plans.revision, name="plan_revision"),
    path(
        "budget/revisions/<int:revision_id>/<str:verdict>/",
        budget_plans.decide_revision,
        name="decide_revision",
    ),
    path("budget/draws/<int:draw_id>/return/", budget.return_draw, name="return_draw"),
    path("budget/draws/<int:draw_id>/withdraw/", budget.withdraw_draw, name="withdraw_draw"),
    path("budget/draws/<int:draw_id>/<str:verdict>/", budget.decide_draw, name="decide_draw"),
]
