"""Addresses of the console's pages on settlement."""

from django.urls import URLPattern, path

from console.views import settlement_forms, settlements

urlpatterns: list[URLPattern] = [
    path("settlements/", settlements.index, name="settlements"),
    path("settlements/<slug:month>/make/", settlements.start, name="make_statements"),
    path("settlements/<slug:month>/send/", settlements.send_all, name="send_statements"),
    path("settlements/s/<slug:number>/", settlements.show, name="statement"),
    path("settlements/s/<slug:number>/send/", settlements.send, name="send_statement"),
    path("settlements/s/<slug:number>/approve/", settlements.approve, name="approve_statement"),
    path("settlements/s/<slug:number>/paid/", settlement_forms.mark_paid, name="mark_paid"),
    path(
        "settlements/s/<slug:number>/lines/<int:line_id>/answer/",
        settlement_forms.answer,
        name="answer_dispute",
    ),
    path(
        "settlements/s/<slug:number>/file/<slug:kind>/",
        settlements.download,
        name="statement_file",
    ),
    path("settlements/p/<slug:code>/account/", settlements.account, name="prepaid"),
    path(
        "settlements/p/<slug:code>/account/<slug:how>/",
        settlement_forms.pay_ahead,
        name="pay_ahead",
    ),
    path("settlements/p/<slug:code>/correct/", settlement_forms.correct, name="correct_partner"),
    path("partners/p/<slug:code>/contract/", settlement_forms.new_contract, name="new_contract"),
]
