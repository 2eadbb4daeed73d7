"""Which function answers which path, and how much its failures matter."""

from typing import Callable, NamedTuple

from shop import carts, catalog, customers, mail, orders, pricing, rates, stock, web


class Route(NamedTuple):
    """A function of the shop behind a path."""

    handler: Callable
    priority: str


ROUTES = {
    "api.order_total": Route(pricing.order_total, "P2"),
    "api.average_rating": Route(pricing.average_rating, "P2"),
    "api.split_bill": Route(pricing.split_bill, "P2"),
    "api.customer_city": Route(customers.city, "P2"),
    "api.import_names": Route(customers.import_names, "P2"),
    "api.login_hint": Route(customers.login_hint, "P1"),
    "api.order_page": Route(orders.page, "P2"),
    "api.delivery_day": Route(orders.is_late, "P2"),
    "api.return_order": Route(orders.send_back, "P2"),
    "api.export_csv": Route(orders.export_csv, "P2"),
    "api.find_product": Route(catalog.find, "P2"),
    "api.category_depth": Route(catalog.depth, "P2"),
    "api.parse_weight": Route(catalog.parse_weight, "P2"),
    "api.rates_v1": Route(rates.convert, "P2"),
    "api.rates_v2": Route(rates.convert, "P2"),
    "api.expire_carts": Route(carts.expire, "P2"),
    "api.reserve_stock": Route(stock.reserve_at_once, "P2"),
    "api.gift_message": Route(mail.gift_message, "P2"),
    "api.subscribe": Route(mail.subscribe, "P2"),
    "web.home": Route(web.home, "P2"),
    "web.search": Route(web.search, "P2"),
    "web.sitemap": Route(web.sitemap, "P3"),
}
