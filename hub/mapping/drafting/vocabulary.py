"""What fields and words are usually called: in English, in Chinese, in pinyin, and by the platforms."""

import re
from collections.abc import Mapping
from functools import cache

_BREAK = re.compile(r"[^0-9a-z\u4e00-\u9fff]+")
_CAMEL = re.compile(r"([a-z0-9])([A-Z])|([A-Z]+)([A-Z][a-z])")

FIELDS: Mapping[str, Mapping[str, str]] = {
    "order": {
        "order_no": "order_no order_sn order_id tid orderid ordersn trade_no order_code dingdanhao 订单号 "
        "订单编号 id order_number number entity_id",
        "display_no": "display_no display_number order_number order_name name increment_id",
        "group_no": "group_no parent_order_id direct_parent_order_id parent_id original_order_id 父订单号",
        "revision": "modified updated_at update_time updated_time order_update_time last_modified "
        "modify_time last_updated_time "
        "changed_at changed last_update_date date_modified_gmt date_modified gengxinshijian 更新时间 修改时间",
        "state": "order_status status order_state state trade_status dingdanzhuangtai 订单状态 状态",
        "payment": "financial_status payment_status pay_status pay_state paid_status payment_state 支付状态 付款状态",
        "fulfilment": "fulfillment_status fulfilment_status shipping_status ship_status delivery_status "
        "logistics_status display_fulfillment_status 发货状态 物流状态",
        "currency": "currency currency_code order_currency_code order_currency presentment_currency bizhong 币种",
        "placed_at": "created created_at create_time created_time order_start_time order_created_time order_time "
        "placed_at purchase_date date_created_gmt date_created ordered_at add_time order_date xiadanshijian "
        "下单时间 创建时间",
        "paid_at": "pay_time paid_at paid_time payment_time paid_on order_paid_time payment_confirm_time "
        "date_paid_gmt date_paid pay_date zhifushijian fukuanshijian 支付时间 付款时间",
        "shipped_at": "consign_time shipped_at ship_time shipping_time shipped_time delivery_time "
        "order_delivery_time send_time rts_time fahuoshijian 发货时间",
        "completed_at": "finish_time completed_at end_time order_finish_time closed_at date_completed_gmt "
        "date_completed complete_time completed_time 完成时间",
        "cancelled_at": "cancelled_at canceled_at cancel_time order_cancel_time close_time 取消时间 关闭时间",
        "ship_by": "ship_by exp_ship_time last_ship_time latest_ship_date ship_by_date promise_last_delivery_time "
        "shipping_due_time tts_sla_time 最晚发货时间",
        "cancel_reason": "cancel_reason cancelled_reason close_reason 取消原因",
        "cod": "is_cod cod cash_on_delivery 货到付款",
        "buyer_note": "buyer_message buyer_words buyer_memo order_remark customer_note customer_remark "
        "message_to_seller buyer_note message_of_buyer buyer_remark note message 买家留言 备注",
        "seller_note": "seller_memo seller_words seller_remark vender_remark internal_note shop_note seller_note "
        "remark 卖家备注",
        "tags": "tags labels order_tags trade_from",
        "totals.goods": "goods_amount total_goods total_line_items_price goods_total goods_price "
        "order_total_price product_price item_total items_total original_total_product_price subtotal_price "
        "subtotal goods 商品总额 商品金额",
        "totals.discount": "total_discounts promotion_amount discount_amount discount_total total_discount "
        "seller_discount discount discounts voucher coupon_amount youhuijine 优惠金额",
        "totals.shipping": "post_fee freight freight_price postage post_amount shipping_total shipping_amount "
        "total_shipping_price shipping_fee shipping_price total_shipping_free delivery_fee shipping yunfei "
        "运费",
        "totals.tax": "total_tax tax_amount order_tax_fee tax vat tax_total shuifei 税费",
        "totals.other": "surcharge service_fee buyer_service_fee other_fee total_fees handling_fee",
        "totals.payable": "total_price grand_total order_amount total_amount total order_price amount payment "
        "payable sum order_total total_pay_amount order_payment pay_amount yingfu 应付金额 订单金额 总金额",
        "totals.paid": "pay_amount paid_amount total_paid amount_paid received_payment paid payment order_payment "
        "total_pay_amount received shifu 实付金额 实收金额",
        "totals.refunded": "total_refunded refunded_amount amount_refunded refunded refund_amount 退款金额",
        "buyer.id": "buyer_open_uid buyer_id open_id openid buyer_user_id pin customer_id user_id doudian_open_id "
        "customer.id buyer.id member_id 买家id",
        "buyer.nickname": "buyer_nick buyer_username nickname buyer_nickname buyer_name customer_name "
        "customer.name buyer.name customer.nickname 买家昵称",
        "buyer.email": "buyer_email contact_email customer_email customer.email buyer.email email billing.email 邮箱",
        "receiver.name": "receiver_name consignee_name fullname full_name recipient_name mask_post_receiver "
        "user_name receiver consignee recipient post_receiver shipping_name name shouhuoren shoujianren "
        "收货人 收件人",
        "receiver.phone": "receiver_mobile receiver_phone mobile phone phone_number tel_number telephone tel "
        "mask_post_tel post_tel mobile_phone shouji dianhua 手机 电话 联系电话",
        "receiver.country": "country_code receiver_country country_id country region_code guojia 国家",
        "receiver.province": "receiver_state province province_name province.name region state sheng 省 省份",
        "receiver.city": "receiver_city city city_name city.name shi 市 城市",
        "receiver.district": "receiver_district district county county_name town.name area qu 区 区县",
        "receiver.town": "receiver_town town town_name street_name street.name jiedao 街道 镇",
        "receiver.street": "receiver_address full_address address detail_info detail address_detail street "
        "address1 address_line1 address_1 full_street dizhi xiangxidizhi 地址 详细地址 收货地址",
        "receiver.postcode": "receiver_zip zip zipcode postcode postal_code zip_code youbian 邮编",
        "receiver.token": "oaid open_address_id address_token hash_code",
        "lines.line_no": "oid line_no line_id order_item_id item_order_id line_item_id sub_order_id row id "
        "item_id order_id 子订单号",
        "lines.sku": "outer_sku_id outer_id seller_sku sku code sku_code merchant_sku model_sku erpcode "
        "out_sku_id outer_iid product_code goods_code huohao 商家编码 货号",
        "lines.item_id": "num_iid product_id goods_id item_id ware_id spu_id listing_id",
        "lines.variant_id": "sku_id variant_id model_id variation_id",
        "lines.title": "title goods_name product_name sku_name item_name name shangpinmingcheng 商品名称 品名",
        "lines.variant": "sku_properties_name goods_spec sku_spec variant_title variant model_name spec variation "
        "guige 规格",
        "lines.quantity": "num quantity qty goods_count item_num item_total sku_quantity sku_cnt qty_ordered "
        "count pieces model_quantity_purchased quantity_ordered number shuliang 数量 件数",
        "lines.unit_price": "price unit_price goods_price origin_price origin_amount jd_price sale_price "
        "original_price item_price danjia 单价 价格",
        "lines.discount": "discount_amount line_discount discount total_discount promotion_amount seller_discount "
        "voucher youhui 优惠",
        "lines.amount": "divide_order_fee amount line_total row_total pay_amount real_price total_paid_amount "
        "total subtotal payment sum total_price xiaoji 小计 金额",
        "lines.tax": "tax_amount sub_order_tax_fee total_tax tax item_tax",
        "lines.shipped_quantity": "qty_shipped shipped_quantity quantity_shipped shipped_qty",
        "lines.refund": "refund_status refund_state after_sale_status return_status",
        "lines.refunded_amount": "amount_refunded refunded_amount refunded refund_amount",
        "lines.gift": "is_gift gift is_free_gift zengpin 赠品",
        "lines.warehouse": "warehouse store_code warehouse_code warehouse_id cangku 仓库",
    },
    "refund": {
        "refund_no": "refund_id refund_no refund_sn aftersale_id after_sale_id return_sn service_id "
        "after_sales_id refund_number return_id tuikuandanhao 退款编号 售后单号 id",
        "order_no": "tid order_id order_no order_sn shop_order_id order_number 订单号",
        "revision": "modified updated_at updated_time update_time processed_at last_modified changed 更新时间 修改时间",
        "kind": "refund_type after_sales_type aftersale_type after_sale_type type dispute_type 售后类型",
        "phase": "refund_phase phase after_sale_phase",
        "state": "refund_status status after_sales_status after_sale_status aftersale_status state 退款状态 售后状态",
        "currency": "currency currency_code",
        "amount": "refund_fee refund_amount amount refund_total apply_refund_sum refundamount 退款金额",
        "shipping": "post_amount refund_post_amount shipping freight refund_shipping",
        "reason": "reason refund_reason after_sale_reason return_reason 退款原因",
        "buyer_note": "desc description text_reason buyer_note note remark 说明",
        "return_parcel.carrier": "company_name shipping_name return_carrier return.carrier carrier "
        "express_company logistics_company",
        "return_parcel.tracking_no": "sid return_tracking_no tracking_number express_no tracking_no "
        "return.tracking_no 快递单号",
        "requested_at": "created created_at created_time create_time apply_time 申请时间",
        "completed_at": "completed_at end_time finish_time refund_time complete_time 完成时间",
        "lines.line_no": "oid order_item_id line_item_id sku_order_id line_no row sku_id id",
        "lines.sku": "outer_sku_id outer_id sku seller_sku code sku_code 商家编码",
        "lines.quantity": "num quantity qty goods_number count 数量",
        "lines.amount": "refund_fee amount subtotal refund_amount total 金额",
    },
}
"""Canonical fields and the names that a platform gives them, the surest first; "lines." is of a line."""

WORDS: Mapping[str, Mapping[str, str]] = {
    "order.state": {
        "open": "open new created pending unpaid paid processing confirmed placed accepted shipped delivered "
        "partially_shipped awaiting_payment awaiting_shipment awaiting_collection awaiting_dispatch "
        "ready_to_ship to_ship in_transit packed on_hold wait_buyer_pay wait_seller_send_goods "
        "wait_buyer_confirm_goods wait_seller_stock_out wait_goods_receive_confirm pending_payment 待付款 "
        "待发货 已付款 已发货",
        "completed": "completed complete finished done trade_finished finished_l order_completed 已完成 完成 交易成功",
        "cancelled": "cancelled canceled trade_canceled trade_closed_by_taobao order_cancelled 已取消 取消",
    },
    "order.payment": {
        "unpaid": "unpaid pending_payment awaiting_payment wait_buyer_pay not_paid none 未支付 未付款 待付款",
        "authorized": "authorized authorised 已授权",
        "deposit_paid": "deposit_paid partially_paid",
        "paid": "paid captured settled processing awaiting_shipment awaiting_dispatch ready_to_ship to_ship "
        "shipped delivered wait_seller_send_goods wait_buyer_confirm_goods wait_seller_stock_out 已支付 "
        "已付款 待发货",
        "partially_refunded": "partially_refunded partial_refund",
        "refunded": "refunded 已退款",
        "voided": "voided",
    },
    "order.fulfilment": {
        "unshipped": "unshipped unfulfilled not_shipped unpaid paid pending processing pending_payment "
        "wait_buyer_pay wait_seller_send_goods wait_seller_stock_out awaiting_payment awaiting_shipment "
        "awaiting_dispatch ready_to_ship to_ship on_hold none new created 未发货 待发货 待付款",
        "partially_shipped": "partially_shipped partial partially_fulfilled seller_consigned_part 部分发货",
        "shipped": "shipped fulfilled in_transit wait_buyer_confirm_goods wait_goods_receive_confirm 已发货",
        "delivered": "delivered completed complete finished done trade_finished finished_l received 已完成 已签收 "
        "交易成功",
    },
    "order.lines.refund": {
        "none": "none no_refund no",
        "requested": "requested wait_seller_agree pending applied",
        "refunded": "refunded success",
        "partially_refunded": "partially_refunded",
        "rejected": "rejected refused seller_refuse_buyer",
    },
    "refund.state": {
        "requested": "requested pending applied wait_seller_agree 待处理",
        "awaiting_return": "awaiting_return wait_buyer_return_goods",
        "returning": "returning",
        "received": "received wait_seller_confirm_goods",
        "approved": "approved accepted agreed",
        "refunded": "refunded success completed 退款成功",
        "rejected": "rejected refused seller_refuse_buyer",
        "cancelled": "cancelled canceled withdrawn",
    },
    "refund.kind": {
        "refund_only": "refund_only refund only_refund 仅退款",
        "return_and_refund": "return_and_refund return return_refund 退货退款",
        "exchange": "exchange 换货",
        "reship": "reship",
        "repair": "repair 维修",
        "price_adjustment": "price_adjustment",
    },
    "refund.phase": {
        "before_shipping": "before_shipping onsale",
        "after_shipping": "after_shipping aftersale",
    },
}
"""Words whose meaning their name gives. What is not here is left to a person, numbers always."""

REFUND_WORDS = frozenset(
    {"refund", "refunded", "refunding", "refunds", "return", "returned", "aftersale", "aftersales"}
)
REFUND_SIGNS = ("退款", "退货", "售后", "tuikuan", "tuihuo")


def plain_name(name: str) -> str:
    """A name in lower case with one underscore between its words.

    >>> plain_name("orderSN"), plain_name("receiver-Mobile"), plain_name("收货人")
    ('order_sn', 'receiver_mobile', '收货人')
    """
    text = _CAMEL.sub(lambda m: f"{m[1] or m[3]}_{m[2] or m[4]}", name)
    return _BREAK.sub("_", text.lower()).strip("_")


@cache
def names_of(kind: str, field: str) -> tuple[str, ...]:
    """The usual names of a canonical field, the surest first; () for one that has none."""
    return tuple(FIELDS.get(kind, {}).get(field, "").split())


def meaning(field: str, word: str) -> str:
    """What a platform's word means for a field ("order.state"), "" where its name does not say.

    >>> meaning("order.state", "Trade-Finished"), meaning("order.state", "REFUND_SUCCESS"), meaning("order.state", "7")
    ('completed', '', '')
    """
    wanted = plain_name(word)
    if field == "order.state" and speaks_of_refund(word):
        return ""
    return next((value for value, words in WORDS.get(field, {}).items() if wanted in words.split()), "")


def speaks_of_refund(word: str) -> bool:
    """Whether a word is about a refund: such a word never decides an order's state.

    >>> speaks_of_refund("REFUND_SUCCESS"), speaks_of_refund("已退款"), speaks_of_refund("paid")
    (True, True, False)
    """
    text = plain_name(word)
    return bool(REFUND_WORDS & set(text.split("_"))) or any(sign in text for sign in REFUND_SIGNS)
