"""Celery's settings; read when the application is first used."""

from django.conf import settings
from kombu import Exchange, Queue

broker_url = settings.BROKER_URL
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_transport_options = {
    # The time after which a message of a dead worker comes back; above `task_time_limit`, or a
    # long task would be started again while it runs.
    "visibility_timeout": 900,
    # A request that publishes must not wait for a broker that is down; workers do, elsewhere.
    "max_retries": 0,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 30,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
visibility_timeout = 900

# Calls to other machines have a queue of their own, so that a slow one holds up nothing else; so
# has the clock, so that what falls due and the heartbeat do not wait behind a brand's backlog; and
# so have events, for which a worker of their own listens: a member waits for what they bring.
# Exchange and key are spelled out: by default both queues would get every message.
task_queues = tuple(
    Queue(name, Exchange(name), routing_key=name)
    for name in ("default", "outbound", "clock", "events")
)
task_default_queue = "default"
task_create_missing_queues = False
task_serializer = "json"
accept_content = ["json"]
task_ignore_result = True
task_acks_late = True
# A bounded retry; `reject_on_worker_lost` would let a task that kills its worker loop for ever.
task_retry_on_worker_lost = True
task_reject_on_worker_lost = False
task_time_limit = 600
task_soft_time_limit = 540

worker_prefetch_multiplier = 1
worker_cancel_long_running_tasks_on_connection_loss = True
worker_soft_shutdown_timeout = 30
worker_enable_soft_shutdown_on_idle = True
worker_max_tasks_per_child = 500
worker_max_memory_per_child = 300_000
worker_hijack_root_logger = False
worker_send_task_events = False

timezone = "UTC"
enable_utc = True
beat_cron_starting_deadline = 900
_CLOCK = {"queue": "clock"}
# Beat only ticks: what falls due in each brand's own time zone is decided by the tick.
beat_schedule = {
    "tick": {"task": "jobs.tick", "schedule": 30.0, "options": _CLOCK | {"expires": 60}},
    "sweep jobs": {"task": "jobs.sweep", "schedule": 10.0, "options": _CLOCK | {"expires": 30}},
    "sweep events": {"task": "events.sweep", "schedule": 15.0, "options": _CLOCK | {"expires": 30}},
    "seal audits": {"task": "platform.seal_audits", "schedule": 30.0, "options": {"expires": 60}},
}
