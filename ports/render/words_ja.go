package render

import "github.com/reeve-scheduler/reeve/ports"

func japanese() words {
	return words{
		lang: "ja", portsOf: "ポート計画 %s のポート番号一覧",
		plan: "ポート計画", instance: "インスタンス", inventory: "インベントリ", host: "ホスト", role: "役割", service: "サービス", hash: "ハッシュ",
		external:   "外部との通信で使用するポート番号",
		sameHost:   "内部通信で使用するポート番号 (送信元と送信先は同一ホスト。他ホストには公開しない)",
		remote:     "リモートマシン (外部サーバからのアクセスを許可するポート番号)",
		conditions: "条件", notes: "注記", statements: "出典ページの記載事項", reading: "本計画での解釈:", sockets: "UNIXドメインソケット",
		yes: "○", no: "×", notStated: "記載なし", notAssigned: "未割り当て",
		columns: map[string]string{
			"id": "ID", "function": "機能名", "service": "サービス名", "port": "ポート番号", "protocol": "プロトコル", "scope": "公開範囲",
			"source": "送信元", "destination": "送信先", "purpose": "用途", "services_windows": "servicesファイル Windows",
			"services_unix": "servicesファイル UNIX", "condition": "条件", "door": "窓口", "status": "状態", "origin": "出典", "was": "旧番号", "note": "注記",
		},
		status: map[ports.Status]string{ports.Works: "使用", ports.Reserved: "予約", ports.Foreign: "他製品", ports.Inactive: "無効"},
		man:    manWords{name: "名前", description: "説明"},
		pool: poolWords{
			title: "動的に割り当てるポート範囲", pool: "プール", numbers: "ポート番号", parity: "偶奇", size: "使用可能数", order: "割り当て順", pair: "対のポート",
			hold: "解放後の保留", sticky: "同じ番号を使う単位", even: "偶数", odd: "奇数", up: "昇順", down: "降順",
			lru: "未使用期間の長い順", random: "無作為",
		},
		vendor: japaneseVendor(),
		request: requestWords{
			title: "ファイアウォール設定変更申請書", summary: "ルール数", change: "変更区分", source: "送信元", destination: "宛先", reason: "申請理由",
			owner: "管理責任者", expires: "有効期限", flow: "通信ID", added: "追加", removed: "削除", unchanged: "変更なし",
			between: "%s から %s へ", within: "%s 内", zone: "ゾーン %s", noZone: "ゾーン外のアドレス", noZones: "ルール一覧", firewall: "ファイアウォール",
			anywhere: "任意のアドレス", unknown: "アドレス未定", nobody: "未指定", unlimited: "期限なし",
			nothing:      "この計画では許可すべき通信はありません。",
			withoutTitle: "未申請の通信", without: "次の通信はポート番号が未定です。番号は設定、定義、ポートマッパー、またはサイトが決めます。",
		},
		drawing: drawingWords{
			sequence: "ポート計画 %s の接続シーケンス", zones: "%s のゾーン構成",
			undirected: "送信元と送信先の記載がないもの: %s", more: "ほか %d 台",
			legend: "矢印は接続を開始する方向を示します。太線: ノード間リンク、破線: 予約または他製品、点線: 無効。",
			dials:  "リンクを接続:", outside: "ゾーン外",
		},
	}
}
