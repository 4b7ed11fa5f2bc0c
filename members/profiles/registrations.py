"""What this room tells lower ones at start."""

from members.profiles import operations, queries
from tenants.accounts.registry import on_user_created, register_sign_in_candidate

register_sign_in_candidate(queries.is_sign_in_address)
on_user_created(operations.claim_user)
