"""One bad record in a batch: what a failure looks like, and that the branch beside it goes on.

actorflow run examples/fails_on_purpose.py      ends with exit code 1, on purpose
"""

from __future__ import annotations

from actorflow import dag, task

ORDERS = [{"id": 1, "price": "9.90"}, {"id": 2, "price": "n/a"}, {"id": 3, "price": "4.50"}]


def parse_price(text: str) -> float:
    return float(text)


@task
async def load_orders() -> list[dict[str, object]]:
    return [dict(order) for order in ORDERS]


@task
async def price_of(order: dict[str, object]) -> float:
    return parse_price(str(order["price"]))


@task
async def revenue(prices: list[float]) -> float:
    return sum(prices)


@task
async def count(orders: list[dict[str, object]]) -> int:
    return len(orders)


@dag
def fails_on_purpose() -> dict[str, object]:
    """`revenue` never runs, since it needs every price; `count` does."""
    orders = load_orders()
    return {"revenue": revenue(price_of.map(orders)), "orders": count(orders)}
