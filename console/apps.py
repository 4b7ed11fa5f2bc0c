from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "console"
    label = "console"
    verbose_name = "Console"

    def ready(self) -> None:
        """Put this wing's cards on the to-do list."""
        from benefits.insights.registry import register_todo
        from console.cards import asked_erasures

        register_todo(asked_erasures)
