from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "tenants.audit"
    label = "audit"
    verbose_name = "Audit"

    def ready(self) -> None:
        from tenants.audit import operations
        from tenants.brands.registry import on_brand_change

        on_brand_change(operations.note_brand_change)
