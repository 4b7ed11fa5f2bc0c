"""Addresses of the console's pages on experience officers."""

from django.urls import URLPattern, path

from console.views import officers

urlpatterns: list[URLPattern] = [
    path("officers/", officers.index, name="officers"),
    path("officers/new/", officers.create, name="create_officer_round"),
    path("officers/<int:round_id>/", officers.show, name="officer_round"),
    path("officers/<int:round_id>/open/", officers.open_round, name="open_officer_round"),
    path("officers/<int:round_id>/finding/", officers.find, name="officer_finding"),
    path("officers/<int:round_id>/note/", officers.publish, name="officer_note"),
    path("officers/<int:round_id>/close/", officers.close, name="close_officer_round"),
    path("officers/ideas/<int:idea_id>/", officers.reply, name="answer_idea"),
    path("officers/photos/<int:photo_id>/", officers.photo, name="officer_photo"),
]
