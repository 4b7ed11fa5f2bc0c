"""Deny by default: a view that forgets to say who may call it answers nobody."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request


class DenyAll(BasePermission):
    """Refuses everybody."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return False


class HasScope(BasePermission):
    """Lets a key in whose scopes include the one that the view names for the method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not hasattr(view, (request.method or "").lower()):
            return True  # the view itself answers 405
        needed = view.scopes.get(request.method)
        key: Any = request.auth
        if needed is None or key is None:
            return False
        return "*" in key.scopes or needed in key.scopes
