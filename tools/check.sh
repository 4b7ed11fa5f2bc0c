#!/bin/sh
# What `make check` runs: all of it, then the verdict. Takes the Python to use.
python=$1
failed=""

step() {
    title=$1
    shift
    printf '%-28s' "$title"
    if output=$("$@" 2>&1); then
        echo "ok"
    else
        echo "FAILED"
        echo "$output"
        failed="$failed $title;"
    fi
}

templates() {
    find api benefits config console core members partners portal tenants -name '*.html' \
        -exec "$(dirname "$python")/djade" --target-version 5.2 --check {} +
}

step "ruff check" "$python" -m ruff check .
step "ruff format" "$python" -m ruff format --check .
step "templates (djade)" templates
step "layers (import-linter)" "$python" -c "from importlinter.cli import lint_imports_command; lint_imports_command()"
step "types (mypy)" "$python" -m mypy .
step "missing migrations" "$python" manage.py makemigrations --check --dry-run

if [ -n "$failed" ]; then
    echo "make check:$failed"
    exit 1
fi
