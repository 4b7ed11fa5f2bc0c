from django.apps import AppConfig


class BrandsConfig(AppConfig):
    name = "tenants.brands"
    label = "brands"
    verbose_name = "Brands"
